"""Points in the plane: density, even samples, lasso, nearest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_btf.embedding import PointIndex, density, in_polygon, spread_sample
from napari_btf.embedding.points import bounds_of

coordinates = st.floats(-1e3, 1e3, width=32)
point_lists = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=40)


def test_a_density_counts_every_point() -> None:
    random = np.random.default_rng(0)
    points = np.concatenate([np.tile((-4.0, 3.0), (500, 1)), random.normal(2, 0.4, (2000, 2))])
    image, bounds = density(points, (60, 80), (-6, -4, 10, 8))
    assert (image.shape, image.dtype, bounds) == ((60, 80), np.float32, (-6, -4, 10, 8))
    assert (image.min(), image.max()) == (0, 1)
    # All 500 are in one pixel: undo the logarithm by its count after smoothing.
    spike = np.zeros((60, 80))
    spike[30, 40] = 500
    most = gaussian_filter(spike, 1.0).max()
    row, column = np.unravel_index(image.argmax(), image.shape)
    # A pixel is 0.2 wide and high; y = 3 is 5 below the top.
    assert (row, column) == (25, 10)
    assert np.expm1(image * np.log1p(most)).sum() == pytest.approx(2500, rel=1e-4)


def test_a_density_leaves_out_what_is_beyond_its_bounds() -> None:
    image, _ = density([(0.5, 0.5), (0.5, 0.5), (-3, 0.5), (0.5, 7), (0.5, -7)], 20, (0, 0, 1, 1))
    spike = np.zeros((20, 20), np.float32)
    spike[10, 10] = 2
    expected = np.log1p(gaussian_filter(spike, 1.0))
    np.testing.assert_allclose(image, expected / expected.max(), atol=1e-6)


@given(point_lists)
def test_every_point_lies_within_the_bounds(points: list) -> None:
    left, bottom, right, top = bounds_of(points)
    xy = np.array(points)
    assert ((xy > (left, bottom)) & (xy < (right, top))).all()
    image, bounds = density(points, 16)
    assert bounds == (left, bottom, right, top)
    assert image.max() == 1
    assert np.isfinite(image).all()


def test_a_sample_is_even_and_seeded() -> None:
    random = np.random.default_rng(0)
    crowd, thin = random.normal(0, 0.02, (50_000, 2)), random.uniform(-1, 1, (300, 2))
    points = np.concatenate([crowd, thin])
    chosen = spread_sample(points, 600, seed=3)
    assert len(np.unique(chosen)) == 600
    np.testing.assert_array_equal(chosen, np.sort(chosen))
    # At random there would be four of the thin ones.
    assert np.count_nonzero(chosen >= 50_000) > 200
    # No empty part of the plane as large as two cells where there are points.
    cells = {tuple(cell) for cell in np.floor(points * 6).astype(int)}
    assert {tuple(cell) for cell in np.floor(points[chosen] * 6).astype(int)} == cells
    np.testing.assert_array_equal(spread_sample(points, 600, seed=3), chosen)
    assert not np.array_equal(spread_sample(points, 600, seed=4), chosen)


@given(point_lists, st.integers(0, 50))
def test_a_sample_has_so_many_points(points: list, count: int) -> None:
    chosen = spread_sample(points, count)
    assert len(chosen) == len(np.unique(chosen)) == min(count, len(points))
    assert ((chosen >= 0) & (chosen < len(points))).all()


def crossings(x: float, y: float, polygon: list) -> int:
    """How many sides a ray to the right crosses."""
    count = 0
    for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            count += 1
    return count


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=9), st.integers(0, 99))
def test_a_lasso_takes_what_it_encloses(polygon: list, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-10, 10, (60, 2))
    expected = [len(polygon) > 2 and crossings(x, y, polygon) % 2 == 1 for x, y in points]
    np.testing.assert_array_equal(in_polygon(points, polygon), expected)


def test_a_lasso_around_most_and_around_none() -> None:
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), axis=-1).reshape(-1, 2)
    around = [(0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5)]
    inside = in_polygon(grid, around)
    np.testing.assert_array_equal(grid[inside], [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)])
    np.testing.assert_array_equal(in_polygon(grid, around[::-1]), inside)
    for nothing in ([(8, 8), (9, 8), (9, 9)], around[:2], np.empty((0, 2))):
        assert not in_polygon(grid, nothing).any()


@given(point_lists, st.tuples(coordinates, coordinates), st.floats(0, 2e3))
def test_the_nearest_point(points: list, place: tuple[float, float], within: float) -> None:
    distances = np.hypot(*(np.array(points) - place).T)
    index = PointIndex(points)
    nearest = index.nearest(place)
    assert nearest is not None
    assert distances[nearest] == pytest.approx(distances.min())
    limited = index.nearest(place, within)
    if abs(distances.min() - within) > 1e-6:
        assert (limited is not None) == (distances.min() < within)
