"""Axes of image stacks where the metadata of a TIFF file name them, as ImageJ and OME do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_btf.errors import CaptureError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf.observations import Frames

__all__ = ["with_channels_last"]

_NAMED = frozenset("TZCYXSRLAEPVHMB")
"""Letters of tifffile for axes that a file names; Q and I stand for unknown ones."""


def with_channels_last(path: Path, frames: Frames) -> Frames:
    """Return the images of a TIFF stack as (N, H, W, C), if its channels come before y and x.

    Parameters
    ----------
    path : Path
        The file, which has been opened before.
    frames : Frames
        Its images by the order of their values, shape (N, C, H, W) if channels come first.

    Raises
    ------
    CaptureError
        If the channels lie apart from y and x.
    """
    count = int(frames.shape[0])
    pairs = [(axis, n) for axis, n in _axes(path) if n > 1 or axis in "YX"]
    kept = "".join(axis for axis, _ in pairs)
    channels = [n for axis, n in pairs if axis in "CS"]
    others = math.prod(n for axis, n in pairs if axis not in "YXCS")
    # Otherwise there is one channel, or each channel is an image with its own angles.
    if others != count or len(channels) != 1 or not set(kept) <= _NAMED:
        return frames
    if kept.endswith(("CYX", "SYX")):
        return _ChannelsLast(frames)
    if kept.endswith(("YXC", "YXS")):
        return frames
    raise CaptureError(
        path, f"its channels lie apart from y and x (axes {kept})", "save it with the axes TCYX"
    )


def _axes(path: Path) -> list[tuple[str, int]]:
    """Return the name and the length of each axis; nothing if they cannot be told."""
    import tifffile

    # Any exception is caught, because metadata may be damaged in any way; they are not needed.
    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            series = file.series[0]
            return list(zip(series.axes, map(int, series.shape), strict=True))
    except Exception:
        return []


class _ChannelsLast:
    """Images (N, C, H, W) as (N, H, W, C)."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        count, channels, height, width = frames.shape
        self.shape = (count, height, width, channels)
        self.dtype = frames.dtype

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        return self._frames[i].transpose(1, 2, 0)
