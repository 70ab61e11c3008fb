"""Models that tests share: each is trained once, by the first process that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from napari_btf.btf import BTF
from napari_btf.codec import CODECS, CompressedBTF, FitSettings, NetworkSettings, fit, load
from napari_btf.progress import finish

__all__ = ["CODECS", "SmallModel", "TrainOnce", "train_once", "train_small"]

#: ``train_once(name, train)``, see the fixture of that name.
TrainOnce = Callable[[str, Callable[[], CompressedBTF]], CompressedBTF]
#: ``small_model(codec)``, see the fixture of that name.
SmallModel = Callable[[str], CompressedBTF]

_LATENTS = {"neural-basis": 6, "parallax": 12, "abrdf-conv": None, "mlp": None}


def train_small(make_btf: Callable[..., BTF], codec: str) -> CompressedBTF:
    """Train a model for a moment, which is enough for its form: of 12 x 16 texels in colour."""
    btf = make_btf(views=1 if codec == "abrdf-conv" else 3, lights=20)
    settings = FitSettings(_LATENTS[codec], NetworkSettings(epochs=2), codec=codec)
    return finish(fit(btf, settings=settings))


def train_once(folder: Path, name: str, train: Callable[[], CompressedBTF]) -> CompressedBTF:
    """Give the model of a name in a folder, which is trained if it is not there yet."""
    path = folder / f"{name}.safetensors"
    with FileLock(folder / f"{name}.lock"):
        if not path.exists():
            train().save(path)
    # As trained: without the place of a file.
    return replace(load(path), path=None)
