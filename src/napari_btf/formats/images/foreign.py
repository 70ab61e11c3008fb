"""Files that carry the name of an image and are of a kind that is not read: what they are.

Telephones and download pages name files by other kinds than they are. The first bytes tell them.
"""

from __future__ import annotations

import re

from napari_btf.formats.images.types import ImageFileError

__all__ = ["RAW", "RAW_REMEDY", "foreign"]

RAW = "is a raw photograph of a camera"
RAW_REMEDY = "develop the photographs, all in the same way, to TIFF"
_CONVERT = "convert the images to TIFF or PNG"
_AGAIN = "download the images themselves"

_KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(start, re.DOTALL | re.IGNORECASE), what, remedy)
    for start, what, remedy in (
        (rb"....ftypcrx ", RAW, RAW_REMEDY),
        (rb"....ftypavi[fs]", "is an AVIF image", _CONVERT),
        (rb"....ftyp(hei|hev|mif1|msf1)", "is a HEIC image", _CONVERT),
        (rb"....ftyp", "is a film", "save its images one by one as TIFF or PNG"),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "is a JPEG XL image", _CONVERT),
        (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  ", "is a JPEG 2000 image", _CONVERT),
        (rb"\xff\xd8\xff\xf7", "is a JPEG-LS image", _CONVERT),
        (rb"(II|MM)[*\0]{2}.{4}CR", RAW, RAW_REMEDY),
        (rb"IIR[OS]|MMOR|IIU\0|FUJIFILMCCD-RAW|\0MRM|FOVb", RAW, RAW_REMEDY),
        (rb"8BPS", "is a Photoshop document", _CONVERT),
        (rb"\x49\x49\xbc", "is a JPEG XR image", _CONVERT),
        (rb"%PDF", "is a PDF document", _CONVERT),
        (rb"PK\x03\x04", "is a zip archive", "unpack it"),
        (rb"\x93NUMPY", "is a NumPy array", _CONVERT),
        (rb"\s*<(!doctype html|html)", "is a web page, which came instead of an image", _AGAIN),
        (rb"version https://git-lfs", "is a pointer of Git LFS", "get the images by git lfs pull"),
    )
)


def foreign(start: bytes) -> ImageFileError | None:
    """Say what a file is by its first 32 bytes, if it is of a known kind that is not read."""
    for begins, what, remedy in _KINDS:
        if begins.match(start):
            return ImageFileError(what, remedy)
    return None
