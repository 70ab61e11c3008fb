"""The records of the codecs abrdf-conv and mlp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.codec.record import Codec
from napari_btf.codec.texel_network.fit import fit_texel_network
from napari_btf.codec.texel_network.model import AbrdfConvBTF, MlpBTF
from napari_btf.codec.texel_network.onnx_form import onnx_form
from napari_btf.codec.texel_network.settings import (
    TexelNetworkSettings,
    check_texel_network,
    plan_texel_network,
    seconds_of_texel_network,
)
from napari_btf.codec.texel_network.storage import (
    expected_abrdf_conv,
    expected_mlp,
    unpack_abrdf_conv,
    unpack_mlp,
)

if TYPE_CHECKING:
    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import FitSettings

__all__ = ["ABRDF_CONV", "MLP"]


def _plan_abrdf_conv(btf: BTF, settings: FitSettings) -> TexelNetworkSettings:
    return plan_texel_network(AbrdfConvBTF.architecture, settings)


def _plan_mlp(btf: BTF, settings: FitSettings) -> TexelNetworkSettings:
    return plan_texel_network(MlpBTF.architecture, settings)


ABRDF_CONV: Codec[TexelNetworkSettings] = Codec(
    model=AbrdfConvBTF,
    plan=_plan_abrdf_conv,
    check=check_texel_network,
    fit=fit_texel_network,
    seconds=seconds_of_texel_network,
    expected=expected_abrdf_conv,
    onnx_form=onnx_form,
    unpack=unpack_abrdf_conv,
    several_processes=False,
)

MLP: Codec[TexelNetworkSettings] = Codec(
    model=MlpBTF,
    plan=_plan_mlp,
    check=check_texel_network,
    fit=fit_texel_network,
    seconds=seconds_of_texel_network,
    expected=expected_mlp,
    onnx_form=onnx_form,
    unpack=unpack_mlp,
    several_processes=False,
)
