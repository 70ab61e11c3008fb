"""Images decoded by machine code next to NumPy's, and when that code is made."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF
from napari_btf.codec.decoding.compiled import kernels, load, numpy_alone
from napari_btf.codec.decoding.layers import FrameLayers, Scratch
from napari_btf.codec.decoding.part import Part
from napari_btf.codec.latents.stored import widen
from napari_btf.codec.parallax.lookup import Lookup
from napari_btf.directions import unit_vector
from napari_btf.relighting import Relighter
from small_models import CODECS, SmallModel, train_small

Make = Callable[..., BTF]
DIRECTIONS = [((35, 20), (0, 0)), ((-50, 300), (25, 110)), ((70, 45), (40, 10))]


@pytest.fixture(autouse=True)
def _made() -> None:
    assert load()
    assert kernels() is not None


def assert_same_images(model: CompressedBTF, contrast: int = 10) -> None:
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
        assert np.ptp(a) > contrast


@pytest.mark.parametrize("codec", CODECS)
def test_machine_code_gives_the_images_of_numpy(small_model: SmallModel, codec: str) -> None:
    model = small_model(codec)
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
    model = train_small(lambda **_: btf, "neural-basis")
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
@example(widths=[72, 3], texels=50, seed=0)
@example(widths=[9, 7], texels=3, seed=0)
@given(
    widths=st.lists(st.integers(1, 70) | st.integers(1, 8), min_size=2, max_size=5),
    texels=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_layers_of_any_widths(widths: list[int], texels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = [
        random.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        for inputs, outputs in pairwise(widths)
    ]
    # In memory they may lie in any way, as parts of larger arrays do.
    biases = [random.normal(size=2 * len(weight)).astype(np.float32)[::2] for weight in weights]
    weights[0] = np.asfortranarray(weights[0])
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
    if dtype == np.float16:
        latents -= np.float16(100.5)
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


#: For programs that compile the kernels and do not time them.
FASTER = {"NUMBA_OPT": "0"}


def run(code: str, *arguments: object, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_made_once_it_is_worth_while(small_model: SmallModel, tmp_path: Path) -> None:
    model = small_model("parallax")
    model = model.with_latents(np.tile(model.latent_map, (16, 16, 1)))
    path = model.save(tmp_path / "model.safetensors")
    networks = model.depth, model.shift, model.shade
    products = model.height * model.width * sum(n.layers.products for n in networks)
    code = """
import sys, numpy as np, napari_btf
from napari_btf.codec.decoding.compiled import kernels
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


# Lookups that leave the array may end the process.
LOST = """
import numpy as np
from napari_btf.codec.decoding.compiled import load
from napari_btf.codec.decoding.layers import Scratch
from napari_btf.codec.parallax.lookup import Lookup
assert load()
for periodic in (False, True):
    lookup = Lookup(5, 6, periodic)
    table = lookup.bordered(np.ones((5, 6, 9), np.float32))
    for value in (np.nan, np.inf, 1e9, 1e12, 1e15, 1e20, 3e38):
        for sign in (1, -1):
            places = np.full((2, 7), sign * value, np.float32)
            places[:, 0] = 2.5
            out = np.zeros((7, 9), np.float32)
            lookup.fetch(table, places, out, Scratch())
            assert np.all(out[0] == 1.0)
            assert np.all((out == 1.0) | np.isnan(out))
print("there")
"""


def test_half_precision_is_widened_exactly() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 31)
    out = np.full(finite.shape, -1.0, np.float32)
    widen(finite, out)
    np.testing.assert_array_equal(out, finite.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(out), np.signbit(finite))
    # A few of them, not side by side, and to places that are not.
    for start, stop, step in ((0, 3, 1), (5, 40, 1), (1, 50, 7)):
        some, room = finite[start:stop:step], np.zeros((9, 70), np.float32)[::2, ::2]
        row = np.zeros(some.shape, np.float32)
        widen(some, row)
        np.testing.assert_array_equal(row, some.astype(np.float32))
        widen(some[:5, :30], room[: len(some), :30])
        np.testing.assert_array_equal(room[: len(some), :30], some[:5, :30])
        assert not room[len(some) :].any()
        assert not room[:, 30:].any()


def test_places_that_are_no_numbers_lead_nowhere() -> None:
    assert run(LOST).split() == ["there"]


@pytest.mark.parametrize("channels", [1, 2, 7, 8, 31])
@pytest.mark.parametrize("codec", CODECS)
def test_grey_and_spectral_surfaces(make_btf: Make, codec: str, channels: int) -> None:
    model = train_small(lambda **how: make_btf(channels=channels, **how), codec)
    assert_same_images(model, contrast=3)
    # Several together.
    images = np.stack(list(model.shaded(model.light[:9], model.view[:9])))
    with numpy_alone():
        others = np.stack(list(model.shaded(model.light[:9], model.view[:9])))
    np.testing.assert_allclose(images, others, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("codec", CODECS)
def test_latents_that_cannot_be_written_to(small_model: SmallModel, codec: str) -> None:
    model = small_model(codec)
    latents = model.latent_map.copy()
    latents.flags.writeable = False
    shown = model.with_latents(latents).relight((35, 20), (25, 110))
    with numpy_alone():
        by_numpy = model.with_latents(latents).relight((35, 20), (25, 110))
    assert np.abs(shown.astype(int) - by_numpy).max() <= 1
    # One whose arrays lie in somebody else's memory.
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    sent = pickle.loads(data, buffers=[buffer.raw().toreadonly() for buffer in buffers])
    np.testing.assert_array_equal(sent.relight((35, 20)), model.relight((35, 20)))


def test_captures_of_another_byte_order(make_btf: Make) -> None:
    btf = make_btf(dtype=np.uint16)
    model = train_small(lambda **_: replace(btf, frames=btf.frames.astype(">u2")), "mlp")
    image = model.relight((35, 20))
    assert np.ptp(image) > 10
    with numpy_alone():
        assert np.abs(image.astype(int) - model.relight((35, 20))).max() <= 1


def test_what_does_not_fit_is_refused() -> None:
    weights, biases = [np.ones((4, 5), np.float32)], [np.zeros(4, np.float32)]
    network, latents = FrameLayers(weights, biases), np.ones((7, 5), np.float32)
    np.testing.assert_array_equal(network(np.asfortranarray(latents), Scratch()), 5.0)
    with pytest.raises(ValueError, match="do not fit"):
        network(latents[:, :4], Scratch())
    for shape in ((6, 4), (7, 5)):
        with pytest.raises(ValueError, match="do not fit"):
            network(latents, Scratch(), np.zeros(shape, np.float32))
    lookup, places = Lookup(3, 3, True), np.zeros((2, 7), np.float32)
    table = lookup.bordered(np.ones((3, 3, 2), np.float32))
    for latents, columns in ((table[1:], 2), (table, 3)):
        with pytest.raises(ValueError, match="do not fit"):
            lookup.fetch(latents, places, np.zeros((7, columns), np.float32), Scratch())


def test_where_nothing_can_be_kept_it_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    # Not a folder that could be made, and no other one.
    code = """
from numba.core import caching
caching.CacheImpl._locator_classes = [caching.UserProvidedCacheLocator]
from napari_btf.codec.decoding.compiled import load
print(load())
"""
    where = str(tmp_path / "file" / "cache")
    assert run(code, NUMBA_CACHE_DIR=where, **FASTER).split() == ["True"]


def test_a_damaged_file_of_what_was_kept_does_no_harm(tmp_path: Path) -> None:
    code = "from napari_btf.codec.decoding.compiled import load; print(load())"
    cache = tmp_path / "cache"
    assert run(code, NUMBA_CACHE_DIR=str(cache), **FASTER).split() == ["True"]
    kept = [path for path in cache.rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    assert run(code, NUMBA_CACHE_DIR=str(cache), **FASTER).split() == ["True"]


@pytest.mark.parametrize("trouble", ["no numba", "no compiler"])
def test_numpy_decodes_where_numba_fails(
    small_model: SmallModel, tmp_path: Path, trouble: str
) -> None:
    path = small_model("parallax").save(tmp_path / "model.safetensors")
    code = """
import logging, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "numba" and sys.argv[2] == "no numba":
            raise ImportError("it is not here")
sys.meta_path.insert(0, Refuse())
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import napari_btf
from napari_btf.codec.decoding.compiled import load
print(load(), load(), napari_btf.load(sys.argv[1]).relight((10, 20)).any())
"""
    environment = {"NUMBA_DISABLE_JIT": "1"} if trouble == "no compiler" else {}
    message, result = run(code, path, trouble, **environment).splitlines()
    assert message.startswith("NumPy decodes images: ")
    assert result == "False False True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_process_that_is_forked_off_meanwhile_decodes_too(
    small_model: SmallModel, tmp_path: Path
) -> None:
    path = small_model("parallax").save(tmp_path / "model.safetensors")
    code = """
import os, sys, napari_btf
from napari_btf.codec.decoding import compiled
model = napari_btf.load(sys.argv[1])
compiled.load_in_background()
child = os.fork()
if child == 0:
    # Modules may be half imported here, for ever.
    compiled.load()
    os._exit(0 if model.relight((10, 20)).any() else 1)
assert os.waitpid(child, 0)[1] == 0
print(compiled.load())
"""
    assert run(code, path).split() == ["True"]
