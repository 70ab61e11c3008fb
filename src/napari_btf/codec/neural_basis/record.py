"""The record of the neural-basis codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_btf.codec.neural_basis.fit import check_neural_basis, fit_neural_basis
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

#: Measured seconds for each observation, of which the basis is made, and observations that count.
_OBSERVATION_SECONDS, _MOST_OBSERVATIONS = 0.008, 2048


class NeuralBasisSettings(NamedTuple):
    """What the codec needs to know: the budget, and how the imagining network is trained."""

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


def _seconds(btf: BTF, own: NeuralBasisSettings) -> float:
    seconds = _OBSERVATION_SECONDS * min(len(btf), _MOST_OBSERVATIONS)
    # A number of latents leaves no room for imagined pairs.
    if own.budget.latents is None:
        seconds += seconds_of_imagining(len(btf), own.network)
    return seconds


def _suits(btf: BTF) -> bool:
    return True


NEURAL_BASIS: Codec[NeuralBasisSettings] = Codec(
    model=NeuralBasisBTF,
    plan=_plan,
    check=_check,
    fit=_fit,
    seconds=_seconds,
    expected=expected,
    onnx_form=onnx_form,
    unpack=unpack,
    suits=_suits,
)
