"""The size of a texel in millimetres, from captures through models to image files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, load
from napari_btf.codec import fit as fitted
from napari_btf.errors import UsageError
from napari_btf.export.images import write_image
from napari_btf.formats import read
from napari_btf.formats.conversion import convert
from napari_btf.progress import finish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def btf(make_btf: Callable[..., BTF]) -> BTF:
    return replace(make_btf(lights=9), mm_per_texel=0.125)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_no_texel_has_such_a_size(btf: BTF, size: float) -> None:
    with pytest.raises(UsageError, match="a texel cannot measure"):
        replace(btf, mm_per_texel=size)


def test_captures_keep_it(btf: BTF, tmp_path: Path) -> None:
    assert btf.info()["mm_per_texel"] == 0.125
    assert btf.select([0, 2]).mm_per_texel == 0.125
    store = tmp_path / "a.zarr"
    finish(convert(btf, store))
    assert read(store).mm_per_texel == 0.125
    assert read(store, mm_per_texel=0.5).mm_per_texel == 0.5
    with pytest.raises(UsageError, match="a texel cannot measure"):
        read(store, mm_per_texel=0.0)


def test_models_keep_it_in_their_files(btf: BTF, tmp_path: Path) -> None:
    model = finish(fitted(btf, settings=FitSettings(2)))
    assert model.mm_per_texel == 0.125
    assert load(model.save(tmp_path / "known.safetensors")).mm_per_texel == 0.125
    unknown = replace(model, mm_per_texel=None)
    assert load(unknown.save(tmp_path / "unknown.safetensors")).mm_per_texel is None
    # A file of a stranger may state anything.
    odd = object.__new__(type(model))
    odd.__dict__.update(model.__dict__, mm_per_texel=-3.0)
    (tmp_path / "odd.safetensors").write_bytes(odd.to_bytes())
    assert load(tmp_path / "odd.safetensors").mm_per_texel is None


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_images_state_it_as_their_resolution(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, np.zeros((4, 6, 3), dtype=np.uint8), 0.1)
    with Image.open(tmp_path / name) as image:
        assert image.size == (6, 4)
        np.testing.assert_allclose(np.array(image.info["dpi"], dtype=float), 254, rtol=2e-3)


def test_deep_images_state_it_too(tmp_path: Path) -> None:
    pixels = np.arange(72, dtype=np.uint16).reshape(4, 6, 3) * 900
    write_image(tmp_path / "a.png", pixels, 0.1)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_allclose(np.array(image.info["dpi"], dtype=float), 254, rtol=2e-3)
    write_image(tmp_path / "a.tif", pixels, 0.1)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].tags["XResolution"].value == (100, 1)
        np.testing.assert_array_equal(file.asarray(), pixels)


def test_images_without_a_size_state_none(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((4, 6, 3), dtype=np.uint8))
    write_image(tmp_path / "b.jpg", np.zeros((4, 6, 3), dtype=np.uint8), 1e5)
    for name in ("a.png", "b.jpg"):
        with Image.open(tmp_path / name) as image:
            assert "dpi" not in image.info
