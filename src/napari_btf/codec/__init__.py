"""Encoder, decoder, fitting, and the model on disk."""

from __future__ import annotations

from napari_btf.codec.choice import CODECS, fit
from napari_btf.codec.fitting.settings import FitSettings, NetworkSettings
from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.storage import load, save

__all__ = ["CODECS", "CompressedBTF", "FitSettings", "NetworkSettings", "fit", "load", "save"]
