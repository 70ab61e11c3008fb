"""Models of every codec, trained for a moment, which is enough for their form."""

from __future__ import annotations

from collections.abc import Callable

from napari_btf.btf import BTF
from napari_btf.codec import CODECS, CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.progress import finish

__all__ = ["CODECS", "small_model"]

_LATENTS = {"neural-basis": 6, "parallax": 12, "abrdf-conv": None, "mlp": None}


def small_model(make_btf: Callable[..., BTF], codec: str, views: int = 3) -> CompressedBTF:
    """A model of 12 x 16 texels in colour."""
    btf = make_btf(views=1 if codec == "abrdf-conv" else views, lights=20)
    settings = FitSettings(_LATENTS[codec], NetworkSettings(epochs=2), codec=codec)
    return finish(fit(btf, settings=settings))
