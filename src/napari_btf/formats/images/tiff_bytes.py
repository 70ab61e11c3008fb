"""Whether the bytes of a TIFF page are there: strips or tiles within the file, and not zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.formats.images import gate
from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from tifffile import TiffPage

__all__ = ["check", "check_filled"]

_NONE = 1
_RATIOS = {
    _NONE: 1.0,
    5: gate.LZW,
    7: 4096.0,
    8: gate.DEFLATE,
    32773: 64.0,
    32946: gate.DEFLATE,
    50013: gate.DEFLATE,
}
"""Bytes that a byte can mean, by the number of the compression."""
_LARGE_TILE = 1 << 24


def check(page: TiffPage, size: int) -> None:
    """Compare the size and the strips of a page with the file.

    Parameters
    ----------
    page : TiffPage
    size : int
        Bytes of the file.

    Raises
    ------
    ImageFileError
        If the file cannot hold these pixels, or a strip lies beyond its end.
    """
    ratio = _RATIOS.get(int(page.compression), gate.ANY)
    across, down = page.imagewidth, page.imagelength
    samples = max(page.samplesperpixel, 1) * max(page.imagedepth, 1)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    gate.check_bytes(across * down * samples * bits // 8, size, ratio)
    if page.is_tiled:
        tile = page.tilewidth * page.tilelength * max(page.tiledepth, 1) * samples * bits // 8
        gate.check_bytes(tile, size + _LARGE_TILE, ratio)
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    expected = 1
    for count in page.chunked:
        expected *= count
    if len(pieces) < expected or not all(count for _, count in pieces[:expected]):
        raise ImageFileError("is incomplete: some of its strips or tiles are missing")
    if any(offset + count > size for offset, count in pieces[:expected]):
        raise ImageFileError("is incomplete: the file ends before the image does")


def check_filled(page: TiffPage, data: bytes) -> None:
    """Refuse a page with a compressed strip or tile of nothing but zeros.

    Raises
    ------
    ImageFileError
    """
    if int(page.compression) == _NONE:
        return
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        # The last byte is looked at first, because that is quicker than to count zeros.
        if data[offset + count - 1] == 0 and not any(data[offset : offset + count]):
            raise ImageFileError("is incomplete: a part of its pixels is filled with zeros")
