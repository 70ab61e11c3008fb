"""How much of the range of its values a capture uses, told from a few of its images."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.errors import CaptureError

if TYPE_CHECKING:
    from napari_btf.btf.btf import BTF

__all__ = ["range_note"]

_IMAGES = 5
_SMALL = 0.25
"""Share of the range below which a note is due; it contains sensors of up to 14 of 16 bits."""


def range_note(btf: BTF) -> str:
    """Say that the values of a capture use a small part of their range; empty if they do not.

    At most five images are read, and only one of an ordinary capture. Damaged images do not count.
    """
    if btf.frames.dtype.itemsize == 1:
        return ""
    some = np.unique(np.linspace(0, len(btf) - 1, _IMAGES).astype(int))
    largest, full = 0.0, btf.values.largest
    for i in some:
        with suppress(CaptureError):
            largest = max(largest, float(btf.frame(int(i)).max()))
        if largest > _SMALL * full:
            return ""
    if largest <= 0:
        return ""
    if btf.values.is_float:
        return (
            f"the largest value of {len(some)} images is {largest:.3g}, where 1 is shown as white: "
            "they look dark, and PSNR counts over the range in use"
        )
    bits, of = int(largest).bit_length(), 8 * btf.frames.dtype.itemsize
    return (
        f"the largest value of {len(some)} images is {largest:,.0f} of {full:,.0f}: they use "
        f"{bits} of {of} bits, 1/{1 << (of - bits)} of the range, and look dark; PSNR counts over "
        "the range in use"
    )
