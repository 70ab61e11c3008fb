"""The record of the neural-basis codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_btf.codec.fitting.checks import GATHERED_BYTES, texels_that_fit
from napari_btf.codec.neural_basis.fit import (
    candidate_latents,
    check_neural_basis,
    fit_neural_basis,
    pairs_to_imagine,
)
from napari_btf.codec.neural_basis.imagination.imagine import seconds_of_imagining
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.neural_basis.onnx_form import onnx_form
from napari_btf.codec.neural_basis.storage import expected, unpack
from napari_btf.codec.record import Codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.codec.fitting.settings import Budget, FitSettings, NetworkSettings
    from napari_btf.progress import Job

__all__ = ["NEURAL_BASIS", "NeuralBasisSettings"]

#: Measured seconds on two cores. Of the basis: for each observation, and the number of observations
#: after which time stays.
_OBSERVATION_SECONDS, _MOST_OBSERVATIONS = 0.007, 2048
#: For each value and latent when texels are encoded or decoded.
_PRODUCT_SECONDS = 1.2e-9
#: For each latent of each texel: when the latents are coded, some times, until the size is met, and
#: when they are read back from their codes.
_CODE_SECONDS, _READ_SECONDS = 0.45e-6, 0.15e-6


#: Measured bytes for each latent of each texel while they are coded: latents, their transform and
#: their codes, and what the encoder of JPEG XL needs.
_CODING_BYTES = 17


class NeuralBasisSettings(NamedTuple):
    """The settings of the codec: its budget, and the training of the imagining network."""

    budget: Budget
    network: NetworkSettings


def _plan(btf: BTF, settings: FitSettings) -> NeuralBasisSettings:
    return NeuralBasisSettings(settings.budget, settings.network)


def _check(btf: BTF, coords: ArrayLike | None, own: NeuralBasisSettings) -> None:
    check_neural_basis(btf, coords, own.budget, own.network.memory)


def _fit(
    btf: BTF,
    coords: ArrayLike | None,
    own: NeuralBasisSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Job[NeuralBasisBTF]:
    return fit_neural_basis(btf, coords, own.budget, own.network, stop, checkpoint)


def _count(btf: BTF, own: NeuralBasisSettings) -> int:
    """Return the number of latents that are coded, at most."""
    learned = min(btf.height * btf.width, texels_that_fit(btf, own.network.memory))
    return own.budget.latents or candidate_latents(btf, learned, own.budget, own.network.memory)


def _memory(btf: BTF, own: NeuralBasisSettings) -> int:
    # The whole images are read one at a time, once the basis is found.
    basis = min(btf.nbytes * GATHERED_BYTES, own.network.memory)
    return max(basis, btf.height * btf.width * _count(btf, own) * _CODING_BYTES)


def _seconds(btf: BTF, own: NeuralBasisSettings) -> dict[str, float | None]:
    texels, count = btf.height * btf.width, _count(btf, own)
    product = texels * len(btf) * btf.channels * count * _PRODUCT_SECONDS
    phases: dict[str, float | None] = {
        "basis": 0.5 + _OBSERVATION_SECONDS * min(len(btf), _MOST_OBSERVATIONS),
        "encode": product,
    }
    captured = len(btf) - btf.grid.duplicate_pairs
    if pairs_to_imagine(btf, captured, count, own.budget):
        phases["train"] = seconds_of_imagining(len(btf), own.network)
    # A fixed number of latents is coded once.
    share = 1.0 if own.budget.latents is None else 0.3
    phases["quantise"] = 0.6 + share * texels * count * _CODE_SECONDS
    phases["evaluate"] = product + texels * count * _READ_SECONDS
    return phases


def _suits(btf: BTF) -> bool:
    return True


NEURAL_BASIS: Codec[NeuralBasisSettings] = Codec(
    model=NeuralBasisBTF,
    plan=_plan,
    check=_check,
    fit=_fit,
    seconds=_seconds,
    memory=_memory,
    expected=expected,
    onnx_form=onnx_form,
    unpack=unpack,
    suits=_suits,
)
