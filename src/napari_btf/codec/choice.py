"""Choose a codec, plan a training, and train: one call for all codecs."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from napari_btf.codec.fitting.checkpoint import Checkpoint, training_key
from napari_btf.codec.fitting.processes import world
from napari_btf.codec.fitting.settings import FitSettings, NetworkSettings, check_budget
from napari_btf.codec.linear_instead import linear_if_better
from napari_btf.codec.record import Plan
from napari_btf.codec.table import TABLE
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.codec.record import Codec
    from napari_btf.progress import Job

__all__ = ["CODECS", "fit", "plan"]

#: Names of the codecs.
CODECS = tuple(TABLE)


def plan(btf: BTF, settings: FitSettings | None = None) -> Plan:
    """Choose the codec, and resolve settings into its own ones; no image is read.

    Parameters
    ----------
    btf : BTF
    settings : FitSettings, optional

    Raises
    ------
    UsageError
        If there is no such codec, or it cannot meet the size or quality that is asked for.
    """
    settings = settings or FitSettings()
    check_budget(settings)
    codec = _chosen(btf, settings.codec)
    return Plan(codec, settings, codec.plan(btf, settings))


def _chosen(btf: BTF, name: str) -> Codec[Any]:
    if name == "auto":
        # Every capture suits the first one; a later one is more special.
        return [codec for codec in TABLE.values() if codec.suits(btf)][-1]
    if name not in TABLE:
        raise UsageError(None, f"there is no codec {name!r}", f"use auto or {' or '.join(CODECS)}")
    return TABLE[name]


def fit(
    btf: BTF,
    coords: ArrayLike | None = None,
    settings: FitSettings | Plan | None = None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Job[CompressedBTF]:
    """Compress a BTF.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. The whole image is
        encoded in any case.
    settings : FitSettings or Plan, optional
        What is asked for, or the plan that `plan` made of it for this capture.
    stop : callable, optional
        Asked often; true ends the training early and keeps the best model so far.
    checkpoint : Checkpoint, optional
        Where to note the state of the training, and what to resume from. A resumed training may
        be of another length.

    Yields
    ------
    Progress
        Phases "read", "basis", "encode", "train", "imagine", "quantise", as the codec has them.

    Returns
    -------
    CompressedBTF

    Raises
    ------
    UsageError
        If a setting does not fit the capture.
    CaptureError
        If an image cannot be read.
    """
    planned = settings if isinstance(settings, Plan) else plan(btf, settings)
    planned.check(btf, coords)
    checkpoint = checkpoint or Checkpoint()
    codec, asked = planned.codec, planned.settings
    here = world()
    _check_processes(btf, codec, here.size)
    # A resumed training may be longer, and run elsewhere.
    network = NetworkSettings(seed=asked.network.seed)
    kept = asdict(replace(asked, codec=codec.name, network=network))
    checkpoint.open(training_key(btf, coords, kept))
    checkpoint.found = here.first(checkpoint.found)
    model: CompressedBTF
    model = yield from codec.fit(btf, coords, planned.own, stop, checkpoint)
    # Several processes are started for trainings that are long enough.
    if asked.codec != "auto" or not codec.starts_blank or here.size > 1:
        return model
    return (yield from linear_if_better(btf, coords, asked.budget, asked.network, model))


def _check_processes(btf: BTF, codec: Codec[Any], count: int) -> None:
    """Raise a UsageError if this number of processes cannot train together."""
    if count > 1 and not codec.several_processes:
        raise UsageError(
            None, f"the {codec.name} codec is trained by one process", "start it without torchrun"
        )
    if count > len(btf):
        raise UsageError(
            btf.source or None,
            f"{len(btf)} observations are too few for {count} processes",
            f"start at most {len(btf)}",
        )
