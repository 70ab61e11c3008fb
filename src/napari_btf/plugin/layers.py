"""Layers of this plugin: what they are made of and how they are found again.

A layer is known by the tag in its metadata, never by its name: people rename layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import format_angles
from napari_btf.errors import CaptureError
from napari_btf.values import to_display

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = [
    "TAG",
    "angles_text",
    "capture_layer_data",
    "capture_of",
    "directions_text",
    "is_kind",
    "observation_at",
]

TAG = "napari_btf"


def capture_layer_data(btf: BTF) -> tuple[Any, dict[str, Any], str]:
    """A BTF as napari layer data: one Image with the axes view, light, y, x.

    Radiance is shown as sRGB with 1 as white.
    """
    stack = _for_the_canvas(btf.stack())
    if btf.values.is_float:
        import dask.array as da

        stack = da.map_blocks(to_display, stack, dtype=np.uint8)
    grey = btf.channels == 1
    if grey:
        stack = stack[..., 0]
    axes = ("view", "light") if btf.is_grid else ("observation",)
    options: dict[str, Any] = {
        "name": btf.name or "BTF",
        "rgb": not grey,
        "axis_labels": (*axes, "y", "x"),
        "metadata": {TAG: {"kind": "capture", "btf": btf}},
    }
    if grey:
        # Without limits napari reads images just to guess them.
        options["contrast_limits"] = (0, int(np.iinfo(stack.dtype).max))
    return stack, options, "image"


def _for_the_canvas(stack: da.Array) -> da.Array:
    """The same lazy array, but black where an image cannot be read; see `_Forgiving`."""
    import dask.array as da

    meta = np.empty((0,) * stack.ndim, dtype=stack.dtype)
    shown: da.Array = da.from_array(
        _Forgiving(stack), chunks=stack.chunks, asarray=False, meta=meta
    )
    return shown


class _Forgiving:
    """A lazy array whose unreadable images are black, each said once in a notification.

    An error on the way to the canvas would leave napari with a layer it can neither show nor
    remove.
    """

    def __init__(self, stack: da.Array) -> None:
        self._stack = stack
        self.shape, self.ndim, self.dtype = stack.shape, stack.ndim, stack.dtype
        self._said: set[str] = set()

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        wanted = self._stack[key]
        try:
            return np.asarray(wanted)
        except CaptureError as error:
            self._say(str(error))
            return np.zeros(wanted.shape, dtype=wanted.dtype)

    def _say(self, problem: str) -> None:
        if problem not in self._said:
            from napari.utils.notifications import show_error

            self._said.add(problem)
            show_error(problem)


def is_kind(layer: Any, kind: str) -> bool:
    """Whether a layer was made by this plugin for some purpose."""
    tag = layer.metadata.get(TAG)
    return isinstance(tag, dict) and tag.get("kind") == kind


def capture_of(layer: Any) -> BTF | None:
    """The BTF a layer shows, or None."""
    return layer.metadata[TAG]["btf"] if is_kind(layer, "capture") else None


def observation_at(btf: BTF, step: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Light, view and number of the observation at slider positions; -1 if not captured.

    Parameters
    ----------
    btf : BTF
    step : tuple of int
        ``(view, light)`` or ``(observation,)``; clipped to the data.
    """
    if not btf.is_grid:
        i = int(np.clip(step[-1], 0, len(btf) - 1))
        return btf.light[i], btf.view[i], i
    grid = btf.grid
    v = int(np.clip(step[0], 0, len(grid.views) - 1))
    k = int(np.clip(step[1], 0, len(grid.lights) - 1))
    return grid.lights[k], grid.views[v], int(grid.observations[v, k])


def directions_text(light: ArrayLike, view: ArrayLike) -> str:
    """Both angles of a light and a view, given as unit vectors."""
    return f"light {format_angles(light)}   view {format_angles(view)}"


def angles_text(btf: BTF, step: tuple[int, ...]) -> str:
    """What the canvas says about the observation at slider positions."""
    light, view, i = observation_at(btf, step)
    text = directions_text(light, view)
    return text if i >= 0 else f"{text}   (not captured)"
