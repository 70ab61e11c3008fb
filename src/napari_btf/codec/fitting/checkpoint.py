"""Checkpoints: files from which an unfinished training can be resumed (``.safetensors``)."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import BTFError, ModelFileError, UsageError
from napari_btf.files import write_file
from napari_btf.running.interrupts import ToBeResumed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = [
    "Checkpoint",
    "Notes",
    "checkpoint_path",
    "training_key",
]

_KEY = "napari-btf unfinished training"
_VERSION = 2
#: Share of the time that writing checkpoints may take.
_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Notes:
    """The state of a training, as a checkpoint holds it.

    Parameters
    ----------
    tensors : dict of ndarray
    facts : dict
        Plain values, as JSON has them.
    """

    tensors: dict[str, NDArray[Any]]
    facts: dict[str, Any]


class Checkpoint:
    """The checkpoint file of one training: when to write it, and what was found in it.

    Parameters
    ----------
    path : str or Path, optional
        The file. Without one nothing is noted.
    resume : bool
        Whether to go on from what the file has; else it is replaced.
    every : float
        Seconds between notes, at least; notes that take long to write are taken less often. 0
        takes one after every step.
    """

    def __init__(
        self, path: str | Path | None = None, resume: bool = False, every: float = 2.0
    ) -> None:
        self.path = None if path is None else Path(path)
        self.resume = resume
        #: What was found to go on from, after `open`.
        self.found: Notes | None = None
        #: Whether the training is to end with its next note.
        self.asked = False
        #: Why notes are no longer taken, or nothing.
        self.failure = ""
        self._every, self._key, self._written = every, "", False
        self._next = time.monotonic() + every

    @property
    def is_there(self) -> bool:
        """Whether the file of an unfinished training exists."""
        return self.path is not None and self.path.exists()

    @property
    def is_resumable(self) -> bool:
        """Whether the same training can be resumed from the file."""
        return self._written or (self.resume and self.is_there)

    def open(self, key: str) -> None:
        """Begin a training, and read the checkpoint of the same training if it is to be resumed.

        Parameters
        ----------
        key : str
            From `training_key`.

        Raises
        ------
        UsageError
            If what is there is of another training.
        ModelFileError
            If it cannot be read.
        """
        self._key = key
        if self.path is None or not self.resume or not self.is_there:
            return
        notes, found = _read(self.path)
        if found != key:
            raise UsageError(
                self.path,
                "the unfinished training there is of another capture or has other settings",
                "give the same ones, or start anew without --resume",
            )
        self.found = notes

    def due(self) -> bool:
        """Whether it is time to write the checkpoint again."""
        if self.asked:
            return True
        return self.path is not None and not self.failure and time.monotonic() >= self._next

    def note(self, notes: Notes) -> None:
        """Write the checkpoint. If the disk is full, the training goes on without checkpoints.

        Raises
        ------
        ToBeResumed
            If the training was asked to end.
        """
        if self.path is not None and not self.failure:
            self._write(self.path, notes)
        if self.asked:
            raise ToBeResumed

    def ask(self) -> None:
        """Ask the training to write one more checkpoint and to end there."""
        self.asked = True

    def _write(self, path: Path, notes: Notes) -> None:
        from safetensors.numpy import save

        start = time.monotonic()
        header = json.dumps({"version": _VERSION, "key": self._key, "facts": notes.facts})
        tensors = {name: np.ascontiguousarray(values) for name, values in notes.tensors.items()}
        try:
            write_file(path, save(tensors, metadata={_KEY: header}))
            self._written = True
        except BTFError as error:
            self.failure = str(error)
        now = time.monotonic()
        self._next = now + (max(self._every, (now - start) / _SHARE) if self._every else 0.0)

    def remove(self) -> None:
        """Delete the file, because the training is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def checkpoint_path(model: str | Path) -> Path:
    """Return the path of the checkpoint of a training whose model file will be ``model``."""
    model = Path(model)
    return model.with_name(f".{model.name}.unfinished")


def training_key(btf: BTF, coords: ArrayLike | None, settings: dict[str, Any]) -> str:
    """Return a digest of the capture, the texels, and the settings that must not change."""
    facts = {"shape": btf.frames.shape, "dtype": str(btf.frames.dtype)}
    digest = hashlib.sha256(json.dumps([facts, settings], sort_keys=True).encode())
    for array in (np.round(btf.light, 6), np.round(btf.view, 6), btf.frame(0), btf.frame(-1)):
        digest.update(np.ascontiguousarray(array).tobytes())
    if coords is not None:
        digest.update(np.asarray(coords, dtype=np.int64).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[Notes, str]:
    """Read the notes of a checkpoint and its key."""
    from safetensors import SafetensorError, safe_open

    remedy = "delete it, or start anew without --resume"
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            if header["version"] != _VERSION:
                which = "an earlier" if header["version"] < _VERSION else "a later"
                raise ModelFileError(path, f"{which} version has written it", remedy)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Notes(tensors, header["facts"]), header["key"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(path, "it is no unfinished training, or damaged", remedy) from error
