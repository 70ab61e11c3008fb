"""Which pages of a TIFF file are the image, and how its values become 8 or 16 full bits."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_btf.formats.images.foreign import RAW, RAW_REMEDY
from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFile, TiffPage, TiffPageSeries

__all__ = ["Found", "find", "full_range", "pages_of"]

_MOST_PAGES = 1024
_REDUCED, _MASK = 1, 4
_SUB_FILES = 330
_DNG = 50706


class Found(NamedTuple):
    """The image in a file: one page, or one page for each channel."""

    page: TiffPage
    """The page, or the first channel."""
    channels: TiffPageSeries | None
    """All channels with the axes CYX, if each has its own page."""


def find(tiff: TiffFile) -> Found:
    """Find the image among the pages of a file.

    Pages that are smaller versions or masks of another one do not count. Such a page says so in its
    tags, or has at most half the width and half the height.

    Raises
    ------
    ImageFileError
        If there are several images, or none.
    """
    # ImageJ may describe many images of a large file by a single page.
    if (tiff.is_imagej or tiff.is_ome) and (channels := _as_channels(tiff)) is not None:
        return Found(_page(tiff.pages[0]), channels)
    listed = [_page(page) for page in islice(iter(tiff.pages), _MOST_PAGES + 1)]
    if listed and _DNG in listed[0].tags:
        raise ImageFileError(RAW, RAW_REMEDY)
    full = [page for page in listed if not page.subfiletype & (_REDUCED | _MASK)]
    # Raw files of cameras have a small preview as their first page, and the photograph below it.
    if not full and any(_SUB_FILES in page.tags for page in listed):
        raise ImageFileError(RAW, RAW_REMEDY)
    full = full or listed[:1]
    # The largest page comes first; of equal ones, the first in the file.
    full.sort(key=lambda page: -page.imagewidth * page.imagelength)
    width, height = full[0].imagewidth, full[0].imagelength
    rest = [p for p in full[1:] if p.imagewidth * 2 > width or p.imagelength * 2 > height]
    if not rest:
        return Found(full[0], None)
    if full[0].axes == "YX" and len(listed) <= _MOST_PAGES:
        channels = _as_channels(tiff)
        if channels is not None:
            return Found(full[0], channels)
    count = "many" if len(listed) > _MOST_PAGES else len(rest) + 1
    raise ImageFileError(
        f"has {count} pages that are not stated to be its channels, expected one image per file",
        "save each page as a file, or the channels as one RGB image",
    )


def pages_of(image: Found) -> list[TiffPage]:
    """Return the pages that hold an image: one, or those of its channels that the file has."""
    if image.channels is None:
        return [image.page]
    return [_page(page) for page in image.channels.pages if page is not None]


def full_range(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Scale integers of fewer bits than their type has to the full range of the type."""
    if pixels.dtype.kind != "u" or not 1 < bits < 8 * pixels.dtype.itemsize:
        return pixels
    largest, most = (1 << bits) - 1, int(np.iinfo(pixels.dtype).max)
    table = np.arange(largest + 1, dtype=np.uint64) * most + largest // 2
    scaled: NDArray[Any] = (table // largest).astype(pixels.dtype)[np.minimum(pixels, largest)]
    return scaled


def _page(page: Any) -> TiffPage:
    """Return a page with its own tags, which tifffile shares among pages that look alike."""
    whole: TiffPage = page.aspage() if hasattr(page, "aspage") else page
    return whole


def _as_channels(tiff: TiffFile) -> TiffPageSeries | None:
    """Return the first series if the file states that its pages are channels of one image."""
    if not tiff.series:
        return None
    series: TiffPageSeries = tiff.series[0]
    lengths = {axis: n for axis, n in zip(series.axes, series.shape, strict=True) if n > 1}
    if series.axes.endswith("YX") and set(lengths) - set("YX") == {"C"}:
        return series
    several = [f"{n} along {axis}" for axis, n in lengths.items() if axis not in "YXSC"]
    if several and (tiff.is_imagej or tiff.is_ome):
        raise ImageFileError(
            f"has several images ({', '.join(several)}), expected one image per file",
            "save each as a file, or the stack with a .csv file of angles beside it",
        )
    return None
