"""Encoder, decoder, fitting, and the model on disk."""

from __future__ import annotations

# The former module of this name first: the function has to be what stays.
import napari_btf.codec.fit  # noqa: F401
from napari_btf.codec.fitting import FitSettings, fit
from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.network import NetworkSettings
from napari_btf.codec.storage import load, save

__all__ = ["CompressedBTF", "FitSettings", "NetworkSettings", "fit", "load", "save"]
