"""Bidirectional Texture Functions in napari.

Open a capture, choose texels, compress, look into the latents, relight. The same calls
without a screen::

    import napari_btf

    btf = napari_btf.read("captures/cloth")
    model, report = napari_btf.finish(napari_btf.train(btf))
    image = napari_btf.relight(model, light=(30, 45))
    model.save("cloth.safetensors")

Names are imported when first used: importing the package, opening a capture or a dock does
not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_btf.btf import BTF
    from napari_btf.codec.choice import FitSettings, fit
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.codec.network import NetworkSettings
    from napari_btf.codec.storage import load
    from napari_btf.directions import AzimuthConvention
    from napari_btf.embedding import embed
    from napari_btf.errors import BTFError
    from napari_btf.formats import read
    from napari_btf.formats.conversion import convert
    from napari_btf.progress import Progress, finish
    from napari_btf.relighting import relight
    from napari_btf.training import TrainingReport, train

__all__ = [
    "BTF",
    "AzimuthConvention",
    "BTFError",
    "CompressedBTF",
    "FitSettings",
    "NetworkSettings",
    "Progress",
    "TrainingReport",
    "convert",
    "embed",
    "finish",
    "fit",
    "load",
    "read",
    "relight",
    "train",
]

_HOME = {
    "AzimuthConvention": "directions",
    "BTF": "btf",
    "BTFError": "errors",
    "CompressedBTF": "codec.model",
    "FitSettings": "codec.choice",
    "NetworkSettings": "codec.network",
    "Progress": "progress",
    "TrainingReport": "training",
    "convert": "formats.conversion",
    "embed": "embedding",
    "finish": "progress",
    "fit": "codec.choice",
    "load": "codec.storage",
    "read": "formats",
    "relight": "relighting",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-btf")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
