from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_btf.errors import UsageError
from napari_btf.texels.sampling import (
    Sampling,
    all_texels,
    every_nth,
    masked_texels,
    random_texels,
    region_counts,
    sampled,
)

masks = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)


def test_square_of_ten_at_step_two_gives_five_by_five() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[7:17, 30:40] = 2
    chosen = every_nth(masked_texels(mask), 2)
    assert len(chosen) == 25
    assert chosen[0].tolist() == [7, 30]
    assert chosen[-1].tolist() == [15, 38]


@given(masks, st.integers(1, 5))
def test_thinned_texels_are_painted_ones_on_a_grid(mask: np.ndarray, step: int) -> None:
    painted = masked_texels(mask)
    assert len(painted) == np.count_nonzero(mask)
    chosen = every_nth(painted, step)
    assert set(map(tuple, chosen)) <= set(map(tuple, painted))
    if len(chosen) > 1:
        assert np.all((chosen - chosen[0]) % step == 0)
    if step == 1:
        np.testing.assert_array_equal(chosen, painted)


def test_random_texels_are_distinct_and_repeatable() -> None:
    every = all_texels(40, 30)
    chosen = random_texels(every, 100, seed=5)
    assert len(np.unique(chosen, axis=0)) == 100
    np.testing.assert_array_equal(chosen, random_texels(every, 100, seed=5))
    assert not np.array_equal(chosen, random_texels(every, 100, seed=6))
    assert len(random_texels(every, 10**9)) == 1200


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="sampling step is 0"):
        every_nth([[0, 0]], 0)
    with pytest.raises(UsageError, match="0 texels were asked for"):
        random_texels([[0, 0]], 0)
    with pytest.raises(UsageError, match="sampling step is -1"):
        Sampling(step=-1)
    with pytest.raises(UsageError, match="0 texels were asked for"):
        Sampling(count=0)
    with pytest.raises(UsageError, match="the seed is -1"):
        Sampling(seed=-1)


@given(masks, st.integers(1, 5))
def test_a_step_keeps_what_every_nth_does(mask: np.ndarray, step: int) -> None:
    kept = sampled(mask, Sampling(step))
    np.testing.assert_array_equal(masked_texels(kept), every_nth(masked_texels(mask), step))


@given(masks.filter(np.any), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_a_count_keeps_what_random_texels_does(mask: np.ndarray, count: int, seed: int) -> None:
    kept = sampled(mask, Sampling(count=count, seed=seed))
    expected = random_texels(masked_texels(mask), count, seed)
    np.testing.assert_array_equal(masked_texels(kept), expected)


@given(masks, st.integers(1, 4))
def test_each_region_is_thinned_out_by_itself(mask: np.ndarray, step: int) -> None:
    regions = {label: mask == label for label in (1, 2, 3)}
    kept = sampled(mask, Sampling(step, each_region=True))
    for region in regions.values():
        expected = every_nth(masked_texels(region), step)
        np.testing.assert_array_equal(masked_texels(kept & region), expected)
    kept = sampled(mask, Sampling(count=3, each_region=True))
    if mask.any():
        for region in regions.values():
            assert np.sum(kept & region) == min(3, np.sum(region))


def test_two_squares_with_a_grid_of_their_own() -> None:
    mask = np.zeros((64, 64), np.int32)
    mask[7:17, 30:40] = 2
    mask[20:30, 1:11] = 70_000
    assert region_counts(mask) == {2: 100, 70_000: 100}
    assert np.sum(sampled(mask, Sampling(3))) < 2 * 16
    assert np.sum(sampled(mask, Sampling(3, each_region=True))) == 2 * 16


def test_a_random_choice_where_nothing_is_painted_is_one_of_the_whole_image() -> None:
    nothing = np.zeros((40, 30), np.uint8)
    assert not sampled(nothing, Sampling(step=2)).any()
    kept = masked_texels(sampled(nothing, Sampling(count=100, seed=5, each_region=True)))
    np.testing.assert_array_equal(kept, random_texels(all_texels(40, 30), 100, seed=5))
