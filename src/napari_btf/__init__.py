"""Bidirectional Texture Functions in napari.

Open a capture, choose texels, compress, look into the latents, relight. The same calls
without a screen::

    import napari_btf

    btf = napari_btf.read("captures/cloth")
    model = napari_btf.train(btf, bytes_per_texel=8)
    image = model.relight(light=(30, 45))
    model.save("cloth.safetensors")

`train`, `embed` and `convert` block until they are done. A window instead iterates over the
generators behind these functions, which yield their progress: `napari_btf.training.train`,
`napari_btf.embedding.embed` and `napari_btf.formats.conversion.convert`. `run` runs any such
generator to its end.

Names are imported at their first use, so that importing the package or opening a capture or a
dock does not import torch. The package itself holds no algorithms: each lives in a sub-package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_btf.btf import BTF
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.codec.storage import load
    from napari_btf.directions import AzimuthConvention
    from napari_btf.errors import BTFError
    from napari_btf.formats import read
    from napari_btf.relighting import relight
    from napari_btf.scripting import convert, embed, run, train

__all__ = [
    "BTF",
    "AzimuthConvention",
    "BTFError",
    "CompressedBTF",
    "convert",
    "embed",
    "load",
    "read",
    "relight",
    "run",
    "train",
]

_HOME = {
    "AzimuthConvention": "directions",
    "BTF": "btf",
    "BTFError": "errors",
    "CompressedBTF": "codec.model",
    "convert": "scripting",
    "embed": "scripting",
    "load": "codec.storage",
    "read": "formats",
    "relight": "relighting",
    "run": "scripting",
    "train": "scripting",
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
