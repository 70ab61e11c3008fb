"""Notes of an unfinished training, from which it can go on: a ``.safetensors`` file again."""

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
    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = [
    "Checkpoint",
    "Notes",
    "adam_notes",
    "checkpoint_path",
    "restore_adam",
    "training_key",
]

_KEY = "napari-btf unfinished training"
_VERSION = 2
#: Share of the time that writing notes may take.
_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Notes:
    """What a training has written down.

    Parameters
    ----------
    tensors : dict of ndarray
    facts : dict
        Plain values, as JSON has them.
    """

    tensors: dict[str, NDArray[Any]]
    facts: dict[str, Any]


class Checkpoint:
    """Where a training notes how far it is.

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
        """Whether notes of an unfinished training are there."""
        return self.path is not None and self.path.exists()

    @property
    def is_resumable(self) -> bool:
        """Whether the same training can go on from the notes that are there."""
        return self._written or (self.resume and self.is_there)

    def open(self, key: str) -> None:
        """Begin a training; look for notes of the same one if it is to go on.

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
        """Whether it is time for another note."""
        if self.asked:
            return True
        return self.path is not None and not self.failure and time.monotonic() >= self._next

    def note(self, notes: Notes) -> None:
        """Write how far the training is; a full disk does not end it, but ends the notes.

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
        """Have the training take one more note, and end there."""
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
        """Forget the notes: the training is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def checkpoint_path(model: str | Path) -> Path:
    """Where the notes of a training lie whose model file is to be ``model``."""
    model = Path(model)
    return model.with_name(f".{model.name}.unfinished")


def training_key(btf: BTF, coords: ArrayLike | None, settings: dict[str, Any]) -> str:
    """A digest of what a training is of: capture, texels, and settings that cannot change."""
    facts = {"shape": btf.frames.shape, "dtype": str(btf.frames.dtype)}
    digest = hashlib.sha256(json.dumps([facts, settings], sort_keys=True).encode())
    for array in (np.round(btf.light, 6), np.round(btf.view, 6), btf.frame(0), btf.frame(-1)):
        digest.update(np.ascontiguousarray(array).tobytes())
    if coords is not None:
        digest.update(np.asarray(coords, dtype=np.int64).tobytes())
    return digest.hexdigest()


def adam_notes(optimizer: torch.optim.Adam) -> dict[str, NDArray[np.float32]]:
    """The moments and step counts of Adam as arrays, by names that `restore_adam` finds."""
    return {
        f"adam_{i}_{name}": value.detach().cpu().numpy()
        for i, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state[parameter].items()
    }


def restore_adam(optimizer: torch.optim.Adam, tensors: dict[str, NDArray[Any]]) -> None:
    """Bring a new optimizer to the state that `adam_notes` of another one describes."""
    import torch

    for i, parameter in enumerate(_parameters(optimizer)):
        prefix = f"adam_{i}_"
        for name, values in tensors.items():
            if name.startswith(prefix):
                value, part = torch.from_numpy(values), name.removeprefix(prefix)
                # Adam counts its steps on the CPU. An array from a file has one dimension or more.
                value = value.reshape(()) if part == "step" else value.to(parameter.device)
                optimizer.state[parameter][part] = value


def _parameters(optimizer: torch.optim.Adam) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _read(path: Path) -> tuple[Notes, str]:
    """Notes and their key."""
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
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(path, "it is no unfinished training, or damaged", remedy) from error
