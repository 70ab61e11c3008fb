"""The record of the parallax codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.codec.parallax.fit import fit_parallax
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.onnx_form import onnx_form
from napari_btf.codec.parallax.settings import (
    ParallaxSettings,
    check_parallax,
    plan_parallax,
    seconds_of_parallax,
)
from napari_btf.codec.parallax.storage import expected, unpack
from napari_btf.codec.record import Codec

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["PARALLAX"]

#: Views and images from which on "auto" takes this codec.
_MANY_VIEWS, _MANY_IMAGES = 16, 256


def _suits(btf: BTF) -> bool:
    return len(btf.grid.views) >= _MANY_VIEWS and len(btf) >= _MANY_IMAGES


PARALLAX: Codec[ParallaxSettings] = Codec(
    model=ParallaxBTF,
    plan=plan_parallax,
    check=check_parallax,
    fit=fit_parallax,
    seconds=seconds_of_parallax,
    expected=expected,
    onnx_form=onnx_form,
    unpack=unpack,
    suits=_suits,
    looks_up_latents=True,
    starts_blank=True,
)
