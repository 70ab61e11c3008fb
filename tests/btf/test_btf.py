from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

import napari_btf
from napari_btf.btf import BTF
from napari_btf.directions import AzimuthConvention, angles_to_vectors, vectors_to_angles
from napari_btf.errors import CaptureError, UsageError

Make = Callable[..., BTF]


def test_texels_gathers_abrdfs(make_btf: Make) -> None:
    btf = make_btf()
    coords = np.array([[0, 0], [11, 15], [3, 7]])
    abrdfs = btf.texels(coords)
    assert abrdfs.shape == (3, 30, 3)
    np.testing.assert_array_equal(abrdfs[2], btf.frames[:, 3, 7])


def test_texels_outside_are_refused(make_btf: Make) -> None:
    with pytest.raises(UsageError, match="outside the 16 x 12 image"):
        make_btf().texels([[12, 0]])


def test_grid_counts_missing_and_duplicate_pairs(make_btf: Make) -> None:
    full = make_btf(views=3, lights=10)
    assert (full.grid.missing_pairs, full.grid.duplicate_pairs) == (0, 0)
    np.testing.assert_array_equal(np.sort(full.grid.observations.ravel()), np.arange(30))

    holes = full.select([0, 0, *range(2, 30)])
    assert (holes.grid.missing_pairs, holes.grid.duplicate_pairs) == (1, 1)
    assert holes.info()["missing_pairs"] == 1


def test_missing_and_repeated_pairs_are_named(make_btf: Make) -> None:
    full = make_btf(views=3, lights=10)
    assert full.oddities() == []
    holes = full.select([0, 0, *range(2, 30), 5])
    np.testing.assert_array_equal(holes.grid.duplicates, [1, 30])
    ((view, light),) = holes.grid.missing()
    np.testing.assert_allclose(holes.grid.lights[light], full.light[1], atol=1e-12)
    np.testing.assert_allclose(holes.grid.views[view], full.view[1], atol=1e-12)
    repeated, missing = holes.oddities()
    assert repeated.startswith("2 observations repeat a pair")
    assert "light 0°, 0° view 0°, 0°; light 15°, 325°" in repeated
    assert missing == "1 pairs of the grid were not captured: light 27°, 137° view 0°, 0°"


def test_a_large_scattered_capture_needs_no_table_of_all_pairs() -> None:
    count = 20_000
    rng = np.random.default_rng(0)
    light, view = (
        angles_to_vectors(np.sqrt(rng.uniform(0, 1, count)) * 80, rng.uniform(0, 360, count))
        for _ in range(2)
    )
    frames = np.broadcast_to(np.uint8(7), (count, 2, 2, 3))
    btf = BTF(frames, light, view)
    tracemalloc.start()
    assert not btf.is_grid
    assert btf.info()["missing_pairs"] > 3e8
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
    assert btf.oddities() == []


def test_stack_shows_each_pair_at_its_place_and_black_where_missing(make_btf: Make) -> None:
    full = make_btf(views=3, lights=10)
    btf = full.select(np.arange(30) != 17)
    stack = btf.stack()
    assert stack.shape == (3, 10, 12, 16, 3)
    for (v, k), i in np.ndenumerate(btf.grid.observations):
        expected = btf.frame(i) if i >= 0 else np.zeros((12, 16, 3))
        np.testing.assert_array_equal(np.asarray(stack[v, k]), expected)


def test_scattered_pairs_are_stacked_by_observation(make_btf: Make) -> None:
    full = make_btf(views=4, lights=4)
    diagonal = full.select([0, 5, 10, 15])
    assert not diagonal.is_grid
    assert diagonal.stack().shape == (4, 12, 16, 3)


def test_nearest_is_the_observation_itself(make_btf: Make) -> None:
    btf = make_btf()
    for i in (0, 13, 29):
        assert btf.nearest(btf.light[i], btf.view[i]) == i


def test_iter_frames_of_a_lazy_btf_equals_its_frames(make_btf: Make) -> None:
    btf = make_btf()
    lazy = BTF(da.from_array(btf.frames, chunks=(1, 12, 16, 3)), btf.light, btf.view)
    np.testing.assert_array_equal(np.stack(list(lazy.iter_frames())), btf.frames)
    assert isinstance(lazy.in_memory().frames, np.ndarray)
    assert lazy.in_memory(limit=10) is lazy


def test_what_is_no_btf_is_refused() -> None:
    vectors = angles_to_vectors([0, 10], [0, 0])
    with pytest.raises(UsageError, match="observations of shape"):
        BTF(np.zeros((2, 4, 4), np.uint8), vectors, vectors)
    with pytest.raises(UsageError, match="as many light and view vectors"):
        BTF(np.zeros((3, 4, 4, 3), np.uint8), vectors, vectors)
    for dtype in (np.int16, np.complex64, bool):
        with pytest.raises(CaptureError, match="expected unsigned integers or floats"):
            BTF(np.zeros((2, 4, 4, 3), dtype), vectors, vectors)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.uint8, 255), (np.uint16, 65535), (np.float16, 1), (np.float32, 1)]
)
def test_values_are_scaled_by_the_largest_integer_and_floats_are_not(
    dtype: type, scale: float
) -> None:
    vectors = angles_to_vectors([0, 10], [0, 0])
    assert BTF(np.zeros((2, 4, 4, 3), dtype), vectors, vectors).values.largest == scale


@pytest.mark.parametrize("chunks", [(1,) * 30, (7, 7, 7, 7, 2), (30,), (3, 20, 7)])
def test_iter_frames_from_the_middle_whatever_the_chunks(
    make_btf: Make, chunks: tuple[int, ...]
) -> None:
    btf = make_btf()
    lazy = BTF(da.from_array(btf.frames, chunks=(chunks, 12, 16, 3)), btf.light, btf.view)
    for start in (0, 1, 7, 12, 29, 30):
        for either in (btf, lazy):
            frames = np.array(list(either.iter_frames(start))).reshape(-1, 12, 16, 3)
            np.testing.assert_array_equal(frames, btf.frames[start:])


def test_gather_fills_an_array_of_any_type(make_btf: Make) -> None:
    btf = make_btf()
    out = np.empty((2, 30, 3), np.float32)
    assert list(btf.gather([[3, 7], [0, 1]], out))[-1] == (30, 30)
    np.testing.assert_array_equal(out[0], btf.frames[:, 3, 7])


def test_with_azimuth_turns_lights_and_views_and_nothing_else(make_btf: Make) -> None:
    btf = make_btf(views=3, lights=10)
    turned = btf.with_azimuth(AzimuthConvention.parse("cw+90"))
    assert turned.frames is btf.frames
    assert turned.notes == ("azimuths are taken as cw+90",)
    for before, after in ((btf.light, turned.light), (btf.view, turned.view)):
        (theta, phi), (new_theta, new_phi) = vectors_to_angles(before), vectors_to_angles(after)
        np.testing.assert_allclose(new_theta, theta, atol=1e-9)
        off_pole = theta > 0
        np.testing.assert_allclose(
            ((new_phi - (90 - phi) + 180) % 360 - 180)[off_pole], 0, atol=1e-9
        )
    # The grid is made anew: views and lights are ordered by their new angles.
    _, phi = vectors_to_angles(turned.grid.views)
    np.testing.assert_allclose(phi, [0, 90, 270], atol=1e-9)
    assert btf.with_azimuth(AzimuthConvention()) is btf


def test_with_azimuth_keeps_the_quick_way_to_the_texels(make_btf: Make, tmp_path: Path) -> None:
    convention = AzimuthConvention(clockwise=True)
    btf = make_btf()
    napari_btf.convert(btf, tmp_path / "made.zarr")
    turned = napari_btf.read(tmp_path / "made.zarr").with_azimuth(convention)
    assert turned.gatherer is not None
    assert turned.gatherer.frames is turned.frames
    np.testing.assert_array_equal(turned.texels([[3, 7]]), btf.texels([[3, 7]]))
