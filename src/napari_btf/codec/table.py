"""The table of codecs. A new codec is a folder beside this file, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.codec.neural_basis.record import NEURAL_BASIS
from napari_btf.codec.parallax.record import PARALLAX
from napari_btf.codec.texel_network.record import ABRDF_CONV, MLP

if TYPE_CHECKING:
    from napari_btf.codec.record import Codec

__all__ = ["TABLE"]

#: The codecs by name. "auto" takes the last one whose record says that it suits the capture.
TABLE: dict[str, Codec[Any]] = {
    codec.name: codec for codec in (NEURAL_BASIS, PARALLAX, ABRDF_CONV, MLP)
}
