from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_btf
from napari_btf.progress import finish
from napari_btf.texels import abrdf
from napari_btf.texels.abrdf import (
    area_to_read,
    mean_abrdf,
    patch_in_memory,
    read_patch,
    under_view,
    value_colours,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_btf.btf import BTF


def test_the_observations_of_one_view_in_the_order_of_the_lights(
    make_btf: Callable[..., BTF],
) -> None:
    btf = make_btf(views=3, lights=10)
    for view in btf.grid.views:
        found = under_view(btf, view)
        np.testing.assert_allclose(btf.view[found], np.tile(view, (10, 1)), atol=1e-6)
        np.testing.assert_allclose(btf.light[found], btf.grid.lights, atol=1e-6)
    without = btf.select(np.arange(len(btf)) != 3)
    assert sorted(len(under_view(without, view)) for view in btf.grid.views) == [9, 10, 10]


@pytest.mark.parametrize("stored", [False, True])
def test_a_patch_has_the_values_of_the_images(
    write_capture: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stored: bool,
) -> None:
    btf = napari_btf.read(write_capture(views=2, lights=6))
    if stored:
        napari_btf.convert(btf, tmp_path / "cloth.zarr")
        btf = napari_btf.read(tmp_path / "cloth.zarr")
    # Room for 30 texels: neither all of them nor one.
    for name in ("_IMAGES_BYTES", "_STORE_BYTES"):
        monkeypatch.setattr(abrdf, name, 30 * 6 * 3)
    observations = under_view(btf, btf.grid.views[1])
    expected = np.stack([btf.frame(i) for i in observations])
    for y, x in ((0, 0), (5, 7), (11, 15)):
        reports = []
        patch = finish(read_patch(btf, observations, y, x), reports.append)
        assert reports[-1].step == reports[-1].total
        rows, columns = area_to_read(btf, observations, y, x)
        assert patch.corner == (rows.start, columns.start)
        assert 20 <= patch.values.shape[1] * patch.values.shape[2] <= 30
        np.testing.assert_array_equal(patch.values, expected[:, rows, columns])
        assert patch.covers(y, x)
        np.testing.assert_array_equal(patch.at(y, x), expected[:, y, x])
    assert not patch.covers(0, 0)
    assert patch_in_memory(btf, observations, 0, 0) is None


def test_all_texels_are_read_where_there_is_room(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf()
    everything = slice(0, 12), slice(0, 16)
    assert area_to_read(btf, under_view(btf, [0, 0, 1]), 3, 4) == everything


def test_what_is_in_memory_needs_no_reading(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf()
    observations = under_view(btf, [0, 0, 1])
    patch = patch_in_memory(btf, observations, 3, 4)
    assert patch is not None
    np.testing.assert_array_equal(patch.at(3, 4), btf.frames[observations, 3, 4])


def test_values_as_colours() -> None:
    assert value_colours(np.uint8([[1, 2, 3]])).tolist() == [[1, 2, 3]]
    assert value_colours(np.uint16([[65535], [257]])).tolist() == [[255] * 3, [1] * 3]
    assert value_colours(np.uint8([[10, 20, 30, 40]])).tolist() == [[25] * 3]
    assert value_colours(np.float32([[1.5, 0.5, 0.0]])).tolist() == [[255, 188, 0]]


def test_the_mean_of_some_texels(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf(views=3, lights=10)
    observations = under_view(btf, btf.grid.views[1])
    texels = np.array([(0, 0), (3, 5), (11, 15)])
    reports = []
    mean = finish(mean_abrdf(btf, observations, texels), reports.append)
    assert mean.dtype == np.uint8
    assert [report.step for report in reports] == list(range(1, 11))
    expected = btf.frames[observations][:, texels[:, 0], texels[:, 1]].astype(float).mean(axis=1)
    np.testing.assert_array_equal(mean, np.rint(expected))
    one = finish(mean_abrdf(btf, observations, texels[1:2]))
    np.testing.assert_array_equal(one, btf.frames[observations, 3, 5])
