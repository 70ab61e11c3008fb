from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import napari_btf
from napari_btf.errors import UsageError
from napari_btf.progress import finish
from napari_btf.texels import regions
from napari_btf.texels.regions import (
    boundaries,
    inverted,
    ranked,
    suggested_share,
    superpixels,
    survey,
    toggled,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_btf.btf import BTF

labels = arrays(np.uint8, (5, 6), elements=st.integers(0, 3))


def halves(btf: BTF, width: int) -> BTF:
    """The same capture with all texels left of a column twice as dark."""
    frames = np.array(btf.frames)
    frames[:, :, :width] //= 4
    return replace(btf, frames=frames)


def test_mean_and_variance_over_all_observations(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf(views=3, lights=10)
    reports = []
    surface = finish(survey(btf), reports.append)
    grey = (btf.frames / 255.0).mean(axis=-1)
    np.testing.assert_allclose(surface.mean, grey.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(surface.variance, grey.var(axis=0), atol=1e-6)
    assert surface.observations == 30
    assert surface.features.shape == (12, 16, 4)
    assert [report.step for report in reports] == list(range(32))


def test_a_bounded_number_of_observations_is_read(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf(views=20, lights=10)
    reads: list[int] = []

    class Counted:
        shape, dtype = btf.frames.shape, btf.frames.dtype

        def __getitem__(self, i: int) -> np.ndarray:
            reads.append(i)
            return btf.frames[i]

    surface = finish(survey(replace(btf, frames=Counted())))
    assert surface.observations == len(reads) == len(set(reads)) == 64
    grey = (btf.frames[sorted(reads)] / 255.0).mean(axis=-1)
    np.testing.assert_allclose(surface.mean, grey.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", [{"channels": 1}, {"channels": 7, "dtype": np.uint16}])
def test_grey_and_spectral_captures(make_btf: Callable[..., BTF], kind: dict[str, object]) -> None:
    surface = finish(survey(make_btf(**kind)))
    assert surface.features.shape == (12, 16, 4)
    assert 0 < surface.mean.mean() < 1


def test_superpixels_part_what_differs(make_btf: Callable[..., BTF]) -> None:
    btf = halves(make_btf(height=40, width=60), 30)
    parts = superpixels(finish(survey(btf)), 12, 1.0)
    assert parts.shape == (40, 60)
    assert 6 <= len(np.unique(parts)) <= 16
    # No part lies on both sides.
    assert not set(np.unique(parts[:, :29])) & set(np.unique(parts[:, 31:]))
    with pytest.raises(UsageError, match="0 superpixels"):
        superpixels(finish(survey(btf)), 0)
    with pytest.raises(UsageError, match="compactness is 0"):
        superpixels(finish(survey(btf)), 9, 0)


def test_large_images_are_parted_in_blocks(
    make_btf: Callable[..., BTF], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "_TEXELS", 400)
    btf = halves(make_btf(height=41, width=59), 30)
    surface = finish(survey(btf))
    assert surface.block == 3
    assert surface.features.shape == (14, 20, 4)
    assert surface.mean.shape == (41, 59)
    parts = superpixels(surface, 12, 0.2)
    assert parts.shape == (41, 59)
    assert not set(np.unique(parts[:, :29])) & set(np.unique(parts[:, 33:]))


def test_a_surface_that_is_one_colour() -> None:
    flat = np.full((4, 9, 9, 3), 100, np.uint8)
    up = np.tile([0.0, 0.0, 1.0], (4, 1))
    surface = finish(survey(napari_btf.BTF(flat, up, up)))
    assert superpixels(surface, 4).shape == (9, 9)
    assert suggested_share(surface.variance) == 50
    np.testing.assert_array_equal(ranked(surface.mean), 50)


@given(st.permutations(range(12)))
def test_ranks_are_shares_of_the_texels(order: list[int]) -> None:
    values = np.array(order, float).reshape(3, 4) ** 3
    np.testing.assert_allclose(ranked(values), np.array(order).reshape(3, 4) * 100 / 11, rtol=1e-6)


def test_equal_values_have_equal_ranks() -> None:
    assert ranked([1, 1, 1, 5]).tolist() == pytest.approx([100 / 3] * 3 + [100])
    assert suggested_share([0, 0, 0, 9]) == 75


def test_the_suggested_share_parts_dark_from_bright(make_btf: Callable[..., BTF]) -> None:
    surface = finish(survey(halves(make_btf(height=40, width=60), 45)))
    assert suggested_share(surface.mean) == pytest.approx(75, abs=2)
    bright = ranked(surface.mean) >= suggested_share(surface.mean)
    assert not bright[:, :45].any()
    assert bright[:, 45:].mean() > 0.95


@given(labels, st.integers(1, 3))
def test_inverting_twice_gives_the_same_where_others_stay(mask: np.ndarray, label: int) -> None:
    once = inverted(mask, label)
    others = (mask != 0) & (mask != label)
    np.testing.assert_array_equal(once[others], mask[others])
    np.testing.assert_array_equal(once == label, mask == 0)
    np.testing.assert_array_equal(inverted(once, label), mask)


@given(labels, arrays(bool, (5, 6)).filter(np.any), st.integers(1, 3))
def test_a_click_adds_a_part_and_the_next_takes_it_out(
    mask: np.ndarray, part: np.ndarray, label: int
) -> None:
    mask[part] = 0
    once = toggled(mask, part, label)
    assert np.all(once[part] == label)
    np.testing.assert_array_equal(once[~part], mask[~part])
    np.testing.assert_array_equal(toggled(once, part, label), mask)
    np.testing.assert_array_equal(toggled(once, part, label, remove=True), mask)
    np.testing.assert_array_equal(toggled(mask, part, label, remove=True), mask)


def test_boundaries_are_between_parts() -> None:
    parts = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 3]])
    assert boundaries(parts).tolist() == [[False, True, False], [True] * 3, [False] * 3]


def test_a_real_capture(wallpaper: Path) -> None:
    surface = finish(survey(napari_btf.read(wallpaper)))
    assert surface.observations == 64
    assert 250 < len(np.unique(superpixels(surface, 300))) < 350
