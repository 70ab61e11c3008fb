"""Images decoded by machine code next to NumPy's, and when that code is made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF
from napari_btf.codec.compiled import kernels, load, numpy_alone
from napari_btf.codec.layers import FrameLayers, Scratch
from napari_btf.codec.parallax_lookup import Lookup
from napari_btf.codec.part import Part
from napari_btf.directions import unit_vector
from napari_btf.relighting import Relighter
from small_models import CODECS, small_model

Make = Callable[..., BTF]
DIRECTIONS = [((35, 20), (0, 0)), ((-50, 300), (25, 110)), ((70, 45), (40, 10))]


@pytest.fixture(autouse=True)
def _made() -> None:
    assert load()
    assert kernels() is not None


def assert_same_images(model: CompressedBTF) -> None:
    """By both ways, but for rounding: by one level at most, and hardly anywhere."""
    for light, view in DIRECTIONS:
        a = Relighter(model).frame(light, view)
        with numpy_alone():
            assert kernels() is None
            b = Relighter(model).frame(light, view)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        apart = np.abs(a.astype(int) - b)
        assert apart.max() <= 1
        assert np.mean(apart > 0) < 0.01
        assert np.ptp(a) > 10


@pytest.mark.parametrize("codec", CODECS)
def test_machine_code_gives_the_images_of_numpy(make_btf: Make, codec: str) -> None:
    model = small_model(make_btf, codec)
    assert_same_images(model)
    pair = unit_vector("light", (40, 60)), unit_vector("view", (20, 200))
    for part in (None, Part.of(model.height, model.width, slice(1, 11), slice(3, None), 3)):
        values = model.decode(*pair, part)
        with numpy_alone():
            np.testing.assert_allclose(values, model.decode(*pair, part), rtol=1e-4, atol=1e-5)
    if codec in ("neural-basis", "parallax"):
        for kind in ("float16", "uint8"):
            assert_same_images(model.with_latents_as(kind))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_of_all_types_are_stored_alike(make_btf: Make, dtype: type) -> None:
    btf = make_btf(dtype=np.uint16 if dtype is np.uint16 else np.uint8)
    if dtype is np.float32:
        btf = replace(btf, frames=(btf.frames / 80.0).astype(dtype))
    model = small_model(lambda **_: btf, "neural-basis")
    # Some values lie beyond what can be stored.
    model = model.with_latents(3.0 * model.latent_map)
    image = model.relight((35, 20))
    with numpy_alone():
        other = model.relight((35, 20))
    assert image.dtype == other.dtype == dtype
    np.testing.assert_allclose(image.astype(float), other.astype(float), rtol=1e-3, atol=1)
    if dtype is not np.float32:
        assert (image.min(), image.max()) == (0, np.iinfo(dtype).max)


@settings(max_examples=60, deadline=None)
@given(
    widths=st.lists(st.integers(1, 70), min_size=2, max_size=5),
    texels=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_layers_of_any_widths(widths: list[int], texels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = [
        random.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        for inputs, outputs in pairwise(widths)
    ]
    biases = [random.normal(size=len(weight)).astype(np.float32) for weight in weights]
    # Rows of a wider array, as what is fetched lies beside something else.
    inputs = random.normal(size=(texels, widths[0] + 3)).astype(np.float32)[:, 2:-1]
    expected = inputs.astype(np.float64)
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        expected = (np.maximum(expected, 0) if i else expected) @ weight.T + bias
    network = FrameLayers(weights, biases)
    by_code = network(inputs, Scratch()).copy()
    with numpy_alone():
        by_numpy = network(inputs, Scratch()).copy()
    np.testing.assert_allclose(by_code, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_numpy, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    count=st.integers(1, 20),
    periodic=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float16, np.uint8]),
    seed=st.integers(0, 2**32 - 1),
)
def test_lookups_anywhere(
    height: int, width: int, count: int, periodic: bool, dtype: type, seed: int
) -> None:
    random = np.random.default_rng(seed)
    latents = random.integers(0, 256, (height, width, count)).astype(dtype)
    lookup = Lookup(height, width, periodic)
    places = random.normal(0, 12, (2, 50)).astype(np.float32)
    # Some at texels, and at the very ends.
    places[:, :10] = np.rint(places[:, :10])
    places[:, 10:12] = [[0, height], [0, width]]
    table, found = lookup.bordered(latents), []
    # Beside something that stays what it is.
    for _ in range(2):
        out = np.full((50, count + 2), -1.0, np.float32)
        if found:
            with numpy_alone():
                lookup.fetch(table, places, out[:, 1:-1], Scratch())
        else:
            lookup.fetch(table, places, out[:, 1:-1], Scratch())
        assert np.all(out[:, [0, -1]] == -1.0)
        found.append(out[:, 1:-1])
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)
    y, x = np.rint(places[:, :10]).astype(int)
    where = (y % height, x % width)
    if not periodic:
        where = (np.clip(y, 0, height - 1), np.clip(x, 0, width - 1))
    np.testing.assert_allclose(found[0][:10], latents[where].astype(np.float32), atol=1e-3)


def test_places_that_are_no_numbers_lead_nowhere() -> None:
    lookup = Lookup(5, 6, True)
    table = lookup.bordered(np.ones((5, 6, 9), np.float32))
    for value in (np.nan, np.inf, -np.inf, 3e38, -3e38):
        places = np.full((2, 7), value, np.float32)
        places[:, 0] = 2.5
        out = np.zeros((7, 9), np.float32)
        lookup.fetch(table, places, out, Scratch())
        assert np.all(out[0] == 1.0)


def run(code: str, *arguments: object, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_is_made_once_it_is_worth_while(make_btf: Make, tmp_path: Path) -> None:
    model = small_model(make_btf, "parallax")
    model = model.with_latents(np.tile(model.latent_map, (16, 16, 1)))
    path = model.save(tmp_path / "model.safetensors")
    networks = model.depth, model.shift, model.shade
    products = model.height * model.width * sum(n.layers.products for n in networks)
    code = """
import sys, numpy as np, napari_btf
from napari_btf.codec.compiled import kernels
model = napari_btf.load(sys.argv[1])
made, images = [], []
for i in range(int(sys.argv[2])):
    images.append(model.relight((35, 20), (25, 110)).astype(int))
    made.append(kernels() is not None)
print(made[0], made[-1], "numba" in sys.modules, np.ptp(images, axis=0).max())
"""
    assert run(code, path, 2).split() == ["False", "False", "False", "0"]
    # A second of NumPy's work.
    *made, apart = run(code, path, 50_000_000_000 // products + 2).split()
    assert made == ["False", "True", "True"]
    assert int(apart) <= 1


def test_where_nothing_can_be_kept_it_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = "from napari_btf.codec.compiled import load; print(load())"
    # Not a folder that could be made.
    out = run(code, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert out.split()[-1] == "True"


def test_numpy_decodes_where_numba_fails(make_btf: Make, tmp_path: Path) -> None:
    path = small_model(make_btf, "parallax").save(tmp_path / "model.safetensors")
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "numba":
            raise ImportError("no numba here")
sys.meta_path.insert(0, Refuse())
import napari_btf
from napari_btf.codec.compiled import load
print(load(), load(), napari_btf.load(sys.argv[1]).relight((10, 20)).any())
"""
    out = run(code, path)
    assert out.startswith("False False True")
    assert out.count("no numba here") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_process_that_is_forked_off_meanwhile_decodes_too(make_btf: Make, tmp_path: Path) -> None:
    path = small_model(make_btf, "parallax").save(tmp_path / "model.safetensors")
    code = """
import os, sys, napari_btf
from napari_btf.codec import compiled
model = napari_btf.load(sys.argv[1])
compiled.load_in_background()
child = os.fork()
if child == 0:
    compiled.decoding(10**12)
    os._exit(0 if model.relight((10, 20)).any() else 1)
assert os.waitpid(child, 0)[1] == 0
print(compiled.load())
"""
    assert run(code, path).split()[-1] == "True"
