"""The former place of `napari_btf.codec.fitting`, for those who still import from here."""

from napari_btf.codec.fitting import FitSettings

__all__ = ["FitSettings"]
