"""Decoders in ONNX against our own, with onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from trained_models import PAIRS

from napari_btf.codec import CompressedBTF
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.export.onnx_export import write_onnx
from napari_btf.texels.sampling import all_texels

#: What single precision may differ by, of values up to 1 (radiance here: 4).
CLOSE = 2e-5


def decoded(
    path: Path, model: CompressedBTF, texels: NDArray[np.intp], light: object, view: object
) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs: dict[str, object] = {
        "light": np.asarray(light, dtype=np.float32),
        "view": np.asarray(view, dtype=np.float32),
    }
    if isinstance(model, ParallaxBTF):
        inputs["texel"] = texels.astype(np.int64)
    else:
        latents = np.load(path.with_name(path.name.replace("decoder", "latent_map")[:-4] + "npy"))
        np.testing.assert_array_equal(latents, model.latent_map)
        inputs["latent"] = latents[texels[:, 0], texels[:, 1]]
    (value,) = session.run(["value"], inputs)
    return np.asarray(value)


def test_values_are_ours(any_model: CompressedBTF, tmp_path: Path) -> None:
    path, *latents = write_onnx(any_model, tmp_path, "x")
    assert path.name == "decoder_x.onnx"
    assert len(latents) == (not isinstance(any_model, ParallaxBTF))
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert properties["codec"] == any_model.architecture
    assert properties["width"] == "16"
    texels = all_texels(12, 16)
    for light, view in PAIRS:
        pair = angles_to_vectors(*light), angles_to_vectors(*view)
        found = decoded(path, any_model, texels, *(vector[np.newaxis] for vector in pair))
        np.testing.assert_allclose(
            found.reshape(12, 16, 3), any_model.decode(*pair), rtol=CLOSE, atol=CLOSE
        )
    # A pair of directions for each texel.
    some = np.array([[0, 0], [5, 9], [11, 15], [3, 2]])
    light, view = (angles_to_vectors(*np.array(part).T) for part in zip(*PAIRS, strict=True))
    found = decoded(path, any_model, some, light, view)
    for value, (y, x), *pair in zip(found, some, light, view, strict=True):
        ours = any_model.decode(*pair)[y, x]
        np.testing.assert_allclose(value, ours, rtol=CLOSE, atol=CLOSE)


def test_without_the_package(
    any_model: CompressedBTF, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        UsageError, match=r'needs the package onnx; pip install "napari-btf\[onnx\]'
    ):
        write_onnx(any_model, tmp_path)
    assert list(tmp_path.iterdir()) == []
