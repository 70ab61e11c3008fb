"""The layers of this plugin: how they are made, how they are found, what their sliders mean.

A layer is found by the tag in its metadata, never by its name, because people rename layers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import (
    SAME_DIRECTION_DEGREES,
    AzimuthConvention,
    angle_between,
    angles_to_vectors,
    directions_text,
)
from napari_btf.errors import CaptureError
from napari_btf.values import to_display

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = [
    "TAG",
    "angles_text",
    "azimuth_of",
    "capture_layer_data",
    "capture_of",
    "clipped",
    "first_step",
    "for_display",
    "is_kind",
    "is_spectral",
    "observation_at",
    "shown_name",
    "step_after",
    "step_at",
    "texel_at",
    "turn_capture",
]

TAG = "napari_btf"

#: Names of folders that say nothing about the surface: kinds of files, or a view alone.
_GENERIC = re.compile(
    r"(data|dataset|images?|imgs?|photos?|photographs?|pictures|frames|captures?|jpe?gs?|pngs?"
    r"|tiffs?|tifs?|exrs?|raw|undistorted|(t[vl]_?\d+[_ ]?p[vl]_?\d+[_ ]?)+)"
)
#: Where the sliders of the first capture start, (theta, phi) in degrees: shading shows there.
_FIRST_LIGHT, _FIRST_VIEW = (30.0, 0.0), (0.0, 0.0)


def capture_layer_data(btf: BTF) -> tuple[Any, dict[str, Any], str]:
    """Return a BTF as napari layer data: one Image with the axes view, light, y, x.

    A spectral capture has the axis channel between light and y.
    """
    stack = _shown_stack(btf)
    colour = btf.channels == 3
    axes = ("view", "light") if btf.is_grid else ("observation",)
    channel = ("channel",) if is_spectral(btf.channels) else ()
    options: dict[str, Any] = {
        "name": shown_name(btf),
        "rgb": colour,
        "axis_labels": (*axes, *channel, "y", "x"),
        "metadata": {TAG: {"kind": "capture", "btf": btf}},
    }
    if not colour:
        # Without limits napari reads images just to guess them.
        options["contrast_limits"] = (0, int(np.iinfo(stack.dtype).max))
    return stack, options, "image"


def shown_name(btf: BTF) -> str:
    """Return the name of a capture's layer: that of the folder above where its own is generic."""
    name = btf.name or "BTF"
    above = Path(btf.source).parent.name if btf.source else ""
    return above if above and _GENERIC.fullmatch(name.lower()) else name


def _shown_stack(btf: BTF) -> da.Array:
    """Return the observations as the layer shows them: radiance as sRGB with 1 as white."""
    stack = _for_the_canvas(btf.stack())
    if btf.values.is_float:
        import dask.array as da

        stack = da.map_blocks(to_display, stack, dtype=np.uint8)
    return for_display(stack)


def is_spectral(channels: int) -> bool:
    """Whether an image has neither one channel nor three, so that a slider shows its channels."""
    return channels not in (1, 3)


def for_display(pixels: Any) -> Any:
    """Arrange images (..., H, W, C) for napari: C last for colour, none for grey, else first."""
    if is_spectral(pixels.shape[-1]):
        return pixels.transpose(*range(pixels.ndim - 3), -1, -3, -2)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _for_the_canvas(stack: da.Array) -> da.Array:
    """Return the same lazy array, but black where an image cannot be read; see `_Forgiving`."""
    import dask.array as da

    meta = np.empty((0,) * stack.ndim, dtype=stack.dtype)
    shown: da.Array = da.from_array(
        _Forgiving(stack), chunks=stack.chunks, asarray=False, meta=meta
    )
    return shown


class _Forgiving:
    """A lazy array whose unreadable images are black; a notification reports each of them once.

    An error on the way to the canvas would leave napari with a layer that it can neither show nor
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
            from napari_btf.plugin.notices import show_error

            self._said.add(problem)
            show_error(problem)


def is_kind(layer: Any, kind: str) -> bool:
    """Whether this plugin made a layer for a given purpose."""
    tag = layer.metadata.get(TAG)
    return isinstance(tag, dict) and tag.get("kind") == kind


def capture_of(layer: Any) -> BTF | None:
    """The BTF a layer shows, or None."""
    return layer.metadata[TAG]["btf"] if is_kind(layer, "capture") else None


def texel_at(layer: Any, position: ArrayLike) -> tuple[int, int] | None:
    """Return the texel (y, x) of a capture layer at a position of the world, or None."""
    btf = capture_of(layer)
    assert btf is not None
    y, x = np.rint(np.asarray(layer.world_to_data(position), dtype=float)[-2:]).astype(int)
    return (int(y), int(x)) if 0 <= y < btf.height and 0 <= x < btf.width else None


def azimuth_of(layer: Any) -> AzimuthConvention:
    """Return how a capture layer's azimuths are interpreted, relative to the capture as read."""
    return layer.metadata[TAG].get("azimuth", AzimuthConvention())


def turn_capture(layer: Any, convention: AzimuthConvention) -> None:
    """Interpret the azimuths of a capture layer otherwise; the layer object stays the same.

    Parameters
    ----------
    layer : napari.layers.Image
        Views and lights along its axes are ordered anew.
    convention : AzimuthConvention
        Relative to the capture as it was read, whatever was chosen before.
    """
    tag = layer.metadata[TAG]
    read = tag.get("as_read", tag["btf"])
    btf = read.with_azimuth(convention)
    # Another dict: a duplicate of the layer shares this one.
    tag = {**tag, "btf": btf, "as_read": read, "azimuth": convention}
    layer.metadata = {**layer.metadata, TAG: tag}
    layer.data = _shown_stack(btf)


def clipped(btf: BTF, step: tuple[int, ...]) -> tuple[int, ...]:
    """Clamp slider positions to the data, because other layers may reach further.

    Parameters
    ----------
    btf : BTF
    step : tuple of int
        ``(view, light)`` or ``(observation,)``.
    """
    ends = btf.grid.shape if btf.is_grid else (len(btf),)
    return tuple(int(np.clip(i, 0, end - 1)) for i, end in zip(step, ends, strict=True))


def observation_at(btf: BTF, step: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return light, view and index of the observation at slider positions; -1 if not captured.

    Parameters
    ----------
    btf : BTF
    step : tuple of int
        ``(view, light)`` or ``(observation,)``; clipped to the data.
    """
    step = clipped(btf, step)
    if not btf.is_grid:
        return btf.light[step[0]], btf.view[step[0]], step[0]
    grid = btf.grid
    v, k = step
    return grid.lights[k], grid.views[v], int(grid.observations[v, k])


def first_step(btf: BTF) -> tuple[int, ...]:
    """Return the slider positions that a capture starts at: seen from above, lit from the side."""
    light, view = angles_to_vectors(*_FIRST_LIGHT), angles_to_vectors(*_FIRST_VIEW)
    if btf.is_grid:
        grid = btf.grid
        v = int(np.argmin(angle_between(grid.views, view)))
        there = grid.observations[v] >= 0
        apart = np.where(there, angle_between(grid.lights, light), np.inf)
        return v, int(np.argmin(apart))
    apart = angle_between(btf.light, light) + angle_between(btf.view, view)
    return (int(np.argmin(apart)),)


def step_after(before: BTF, step: tuple[int, ...], after: BTF) -> tuple[int, ...]:
    """Return the slider positions that show the same observation in another BTF.

    Both have the same observations, but other directions, and so another order of views and lights.
    """
    if not before.is_grid:
        return step
    v, k = clipped(before, step)
    # An observation of that view and one of that light: the pair itself may be missing.
    of_view = before.grid.observations[v].max()
    of_light = before.grid.observations[:, k].max()
    return (
        int(np.argmin(angle_between(after.grid.views, after.view[of_view]))),
        int(np.argmin(angle_between(after.grid.lights, after.light[of_light]))),
    )


def step_at(
    btf: BTF, step: tuple[int, ...], *, view: int | None = None, light: int | None = None
) -> tuple[int, ...]:
    """Return the slider positions after a jump to another view, or to another light.

    Parameters
    ----------
    btf : BTF
    step : tuple of int
        Where the sliders are.
    view, light : int, optional
        One of ``btf.grid.views`` or one of ``btf.grid.lights``. The other direction stays; where
        there is no grid, the observation with the nearest one is taken.
    """
    if btf.is_grid:
        v, k = clipped(btf, step)
        return v if view is None else view, k if light is None else light
    here_light, here_view, _ = observation_at(btf, step)
    wanted, apart = np.ones(len(btf), dtype=bool), np.zeros(len(btf))
    for chosen, distinct, all_of_them, here in (
        (view, btf.grid.views, btf.view, here_view),
        (light, btf.grid.lights, btf.light, here_light),
    ):
        if chosen is None:
            apart += angle_between(all_of_them, here)
        else:
            wanted &= angle_between(all_of_them, distinct[chosen]) <= SAME_DIRECTION_DEGREES
    return (int(np.argmin(np.where(wanted, apart, np.inf))),)


def angles_text(btf: BTF, step: tuple[int, ...]) -> str:
    """Return the text on the canvas for slider positions (see `observation_at`)."""
    light, view, i = observation_at(btf, step)
    text = directions_text(light, view)
    if clipped(btf, step) != tuple(step):
        return f"{text}   (not shown: a slider is beyond its images)"
    return text if i >= 0 else f"{text}   (not captured)"
