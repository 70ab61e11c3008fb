"""Encoder, decoder, fitting, and the model on disk."""

from __future__ import annotations

from napari_btf.codec.fitting import FitSettings, fit
from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.network import NetworkSettings
from napari_btf.codec.storage import load, save

__all__ = ["CompressedBTF", "FitSettings", "NetworkSettings", "fit", "load", "save"]
