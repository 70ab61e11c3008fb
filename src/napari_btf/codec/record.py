"""The record of a codec: all that the rest of the package knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from napari_btf.codec.fitting.settings import check_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.decoding.layers_storage import Expected
    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.codec.fitting.settings import FitSettings
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.codec.onnx_graph import Graph
    from napari_btf.progress import Job

__all__ = ["Codec", "Plan"]

#: The settings of one codec, resolved for one capture.
Own = TypeVar("Own")
_Own = TypeVar("_Own", contravariant=True)


class Fit(Protocol[_Own]):
    """The training of a codec."""

    def __call__(
        self,
        btf: BTF,
        coords: ArrayLike | None,
        settings: _Own,
        stop: Callable[[], bool],
        checkpoint: Checkpoint,
        /,
    ) -> Job[CompressedBTF]:
        """Train, and return the model."""


def _unknown(_: BTF, __: object) -> int:
    return 0


def _never(_: BTF) -> bool:
    return False


@dataclass(frozen=True)
class Codec(Generic[Own]):
    """One codec: how it is planned, checked, trained, and read from a file.

    Parameters
    ----------
    model : type of CompressedBTF
        The class of its models; it holds the codec's name, decodes images and packs itself.
    plan : callable
        ``plan(btf, settings)``: resolve general settings into the codec's own ones. It reads no
        image and raises a UsageError for a size or quality that the codec cannot meet.
    check : callable
        ``check(btf, coords, own)``: raise a UsageError if such a training is impossible.
    fit : callable
        ``fit(btf, coords, own, stop, checkpoint)``: the training, a job that returns the model.
    seconds : callable
        ``seconds(btf, own)``: the expected seconds on two cores of each phase of the training, in
        their order, without reading the images; None for a phase whose length is unknown.
    expected : callable
        ``expected(description, shapes)``: shapes and types of the tensors of a model file.
    unpack : callable
        ``unpack(description, tensors, common)``: the model of a file.
    suits : callable
        ``suits(btf)``: whether "auto" may take this codec; it takes the last one that suits.
    memory : callable
        ``memory(btf, own)``: about the most bytes of memory that a training takes, or 0 if unknown.
    onnx_form : callable, optional
        ``onnx_form(graph, model)``: add the decoder to an ONNX graph, and return the name of its
        output, fitted values (N, C). Its inputs are "light", "view", and "latent" or "texel".
    looks_up_latents : bool
        Whether decoding a texel looks up the latents of others, so that an exported decoder
        contains the latent map and takes "texel" instead of "latent".
    several_processes : bool
        Whether several processes of torchrun can train it together.
    starts_blank : bool
        Whether a short training may be worse than a linear model, so that "auto" compares both.
    """

    model: type[CompressedBTF]
    plan: Callable[[BTF, FitSettings], Own]
    check: Callable[[BTF, ArrayLike | None, Own], None]
    fit: Fit[Own]
    seconds: Callable[[BTF, Own], dict[str, float | None]]
    expected: Callable[[dict[str, Any], dict[str, tuple[int, ...]]], Expected]
    unpack: Callable[[dict[str, Any], dict[str, NDArray[Any]], dict[str, Any]], CompressedBTF]
    suits: Callable[[BTF], bool] = _never
    memory: Callable[[BTF, Own], int] = _unknown
    onnx_form: Callable[[Graph, Any], str] | None = None
    looks_up_latents: bool = False
    several_processes: bool = True
    starts_blank: bool = False

    @property
    def name(self) -> str:
        """The name in files, settings and on the command line."""
        return self.model.architecture


@dataclass(frozen=True)
class Plan:
    """A training as it will be: the codec, and its settings for a capture.

    It is made once (`napari_btf.codec.choice.plan`) and carried from the check to the training.

    Parameters
    ----------
    codec : Codec
    settings : FitSettings
        As they were asked for.
    own : object
        The codec's own settings.
    """

    codec: Codec[Any]
    settings: FitSettings
    own: Any

    def check(self, btf: BTF, coords: ArrayLike | None) -> None:
        """Raise a UsageError if this training is impossible; no image is read.

        Unlike planning, this finds out whether torch can use the device.

        Parameters
        ----------
        btf : BTF
        coords : array_like of int, shape (T, 2), optional
            Rows ``(y, x)`` of the texels to learn from; all by default.

        Raises
        ------
        UsageError
        """
        check_network(self.settings.network)
        self.codec.check(btf, coords, self.own)

    def seconds(self, btf: BTF) -> dict[str, float | None]:
        """Return the expected seconds of each phase on two cores; None for an unknown length."""
        return self.codec.seconds(btf, self.own)

    def memory(self, btf: BTF) -> int:
        """Return about the most bytes of memory that the training takes, or 0 if unknown."""
        return self.codec.memory(btf, self.own)
