"""The gate that every image passes before anything of its size is allocated.

A header of a few bytes can claim billions of pixels. So the claim is compared with two facts: with
the bytes that are there, because each compression has a limit of how many pixels a byte can mean,
and with the memory of this machine. The limits are generous, so that every true image passes:
a photograph of 300 megapixels without any detail is a PNG file of some hundred kilobytes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from napari_btf.formats.images.types import ImageHeader

__all__ = [
    "ANY",
    "DEFLATE",
    "LZW",
    "check_bytes",
    "check_memory",
    "free_memory",
]

DEFLATE = 1032
"""A match of 258 bytes takes at least two bits."""
LZW = 2731
"""A code of 12 bits stands for at most 4096 bytes."""
ANY = 1 << 16
"""For compressions without a known limit, such as those by arithmetic coding."""

_LARGEST = 1 << 32
"""Maximum size of one image's pixels in bytes."""
_SLACK = 1 << 12
"""Bytes that are granted to every image, because the limits hold for long data only."""
_SMALL = 1 << 26
"""Images below this many bytes are decoded without a look at the memory, which takes time."""
_COPIES = 2
"""Decoders hold the pixels about twice."""


def check_bytes(claimed: int, size: int, ratio: float = 1.0) -> None:
    """Refuse an image whose header claims more than its bytes can mean.

    Parameters
    ----------
    claimed : int
        Bytes of all pixels, uncompressed, as the file stores them.
    size : int
        Bytes of the file.
    ratio : float
        Uncompressed bytes that one byte of the file can mean.

    Raises
    ------
    ImageFileError
    """
    if claimed > size * ratio + (_SLACK if ratio > 1 else 0):
        raise ImageFileError(
            f"is incomplete or damaged: its header claims {_count(claimed)} of pixels, "
            f"which the {_count(size)} of the file cannot hold"
        )


def check_memory(found: ImageHeader) -> None:
    """Refuse an image that this machine cannot hold.

    Raises
    ------
    ImageFileError
    """
    size = found.height * found.width * found.channels * found.dtype.itemsize
    if not 0 < size <= _LARGEST:
        raise ImageFileError(f"has an implausible size of {found.width} x {found.height} pixels")
    if size < _SMALL:
        return
    free = free_memory()
    if free is not None and _COPIES * size > free:
        raise ImageFileError(
            f"has {found.width} x {found.height} pixels, which need {_count(_COPIES * size)} of "
            f"memory, and {_count(free)} are free",
            "close other programs or reduce the images",
        )


def free_memory() -> int | None:
    """Return the bytes of memory that this process may still take; None if unknown."""
    free = _system_memory()
    try:
        import resource
    except ImportError:
        return free
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return free
    left = max(limit - _address_space(), 0)
    return left if free is None else min(left, free)


def _system_memory() -> int | None:
    if sys.platform == "linux":
        try:
            with Path("/proc/meminfo").open(encoding="ascii") as file:
                for line in file:
                    if line.startswith("MemAvailable:"):
                        return int(line.split()[1]) << 10
        except (OSError, ValueError, IndexError):
            pass
    # Elsewhere what is free is not told simply; all the memory is a bound, too.
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _address_space() -> int:
    try:
        with Path("/proc/self/statm").open(encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _count(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
