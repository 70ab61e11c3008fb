"""Materials by clusters of latents, and selections that grow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_btf.errors import UsageError
from napari_btf.progress import finish
from napari_btf.segmentation import (
    SEGMENTATIONS,
    connected_to,
    grow,
    latent_distances,
    segment,
)

MIDDLES = np.array([(0, 0, 0, 0), (9, 0, 0, 0), (0, 9, 9, 0)], np.float32)


def stripes(height: int = 40, width: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Latents of three materials in stripes of 20, 10 and 6 columns, and which is where."""
    kind = np.repeat([0, 1, 2], (20, 10, 6))[:width]
    kinds = np.broadcast_to(kind, (height, width))
    noise = np.random.default_rng(0).normal(0, 1, (height, width, 4))
    return (MIDDLES[kinds] + noise).astype(np.float32), kinds


@pytest.mark.usefixtures("several_threads")
@pytest.mark.parametrize("method", SEGMENTATIONS)
def test_known_materials_are_found(method: Any) -> None:
    latents, kinds = stripes()
    found = finish(segment(latents, method, None if method == "hdbscan" else 3, seed=1))
    assert (found.labels.shape, found.labels.dtype) == (kinds.shape, np.uint8)
    assert (found.count, found.method) == (3, method)
    sure = found.labels > 0
    assert sure.mean() > 0.9
    assert adjusted_rand_score(kinds[sure], found.labels[sure]) > 0.99
    # The largest is the first.
    assert np.bincount(found.labels[sure], minlength=4)[1:].tolist() == sorted(
        np.bincount(found.labels[sure])[1:], reverse=True
    )
    again = finish(segment(latents, method, None if method == "hdbscan" else 3, seed=1))
    np.testing.assert_array_equal(again.labels, found.labels)


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_the_silhouette_finds_how_many(method: Any) -> None:
    latents, kinds = stripes()
    reports = []
    found = finish(segment(latents, method), reports.append)
    assert found.count == 3
    assert set(found.silhouettes) == set(range(2, 11))
    assert max(found.silhouettes, key=found.silhouettes.__getitem__) == 3
    assert 0.5 < found.silhouettes[3] < 1
    assert adjusted_rand_score(kinds.ravel(), found.labels.ravel()) > 0.99
    assert [report.phase for report in reports] == ["segment"] * len(reports)
    assert len(reports) >= 10


def test_a_mixture_parts_what_is_tight_from_what_is_wide() -> None:
    random = np.random.default_rng(0)
    kinds = random.integers(0, 2, (30, 30))
    latents = random.normal(0, 1, (30, 30, 2)) * np.where(kinds, 0.3, 6.0)[..., np.newaxis]
    latents[..., 0] += 7.0 * kinds
    scores = {
        method: adjusted_rand_score(
            kinds.ravel(), finish(segment(latents, method, 2)).labels.ravel()
        )
        for method in ("kmeans", "gmm")
    }
    assert scores["gmm"] > 0.9
    assert scores["kmeans"] < 0.8


def test_hdbscan_leaves_out_what_belongs_to_none() -> None:
    latents, _ = stripes()
    latents[:2, :5] = np.random.default_rng(3).uniform(50, 900, (2, 5, 4))
    labels = finish(segment(latents, "hdbscan")).labels
    assert (labels[:2, :5] == 0).all()
    assert labels.max() == 3


def test_smoothing_joins_threads() -> None:
    latents, kinds = stripes()
    # A weave of threads, more different than the materials.
    latents[::2, ::2] += np.float32((0, 0, 0, 40))
    rough, smooth = (
        finish(segment(latents, "kmeans", 3, smoothing=sigma)).labels for sigma in (0.0, 2.0)
    )
    inner = np.isin(np.arange(36), [*range(4, 16), *range(23, 27), 32, 33, 34])
    truth = kinds[4:-4, inner].ravel()
    assert adjusted_rand_score(truth, rough[4:-4, inner].ravel()) < 0.6
    assert adjusted_rand_score(truth, smooth[4:-4, inner].ravel()) > 0.95


@pytest.mark.parametrize("method", SEGMENTATIONS)
def test_a_surface_of_one_material(method: Any) -> None:
    found = finish(segment(np.ones((6, 5, 3)), method))
    np.testing.assert_array_equal(found.labels, np.ones((6, 5)))


def test_more_materials_than_kinds_of_texels() -> None:
    latents = np.zeros((6, 6, 2), np.float32)
    latents[3:] = 1
    found = finish(segment(latents, "kmeans", 7))
    assert found.count == 2
    np.testing.assert_array_equal(np.unique(found.labels[:3]).size, 1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"method": "dbscan"}, "no method 'dbscan'; use kmeans, gmm or hdbscan"),
        ({"k": 0}, "0 materials were asked for; use 1 to 100"),
        ({"k": 101}, "101 materials"),
        ({"k": 3, "method": "hdbscan"}, "leave k out"),
        ({"smoothing": -1.0}, "the smoothing is -1"),
        ({"smoothing": float("nan")}, "the smoothing is nan"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_settings_that_cannot_work(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        finish(segment(stripes()[0], **options))
    with pytest.raises(UsageError, match=r"shape \(4, 3\)"):
        finish(segment(np.ones((4, 3))))


def islands() -> tuple[np.ndarray, np.ndarray]:
    """A map with two islands of one material, and a seed in the first."""
    latents = np.zeros((10, 12, 2), np.float32)
    latents[1:4, 1:4] = latents[6:9, 7:11] = (3.0, 4.0)
    # A bridge of something between.
    latents[4, 4] = (2.0, 3.0)
    seed = np.zeros((10, 12), bool)
    seed[2, 2] = True
    return latents, seed


def test_a_selection_grows_to_what_is_alike() -> None:
    latents, seed = islands()
    alike = (latents == (3, 4)).all(axis=2)
    np.testing.assert_array_equal(grow(latents, seed, 0.1), alike)
    first = alike & (np.arange(12) < 5)
    np.testing.assert_array_equal(grow(latents, seed, 0.1, connected=True), first)
    # Corners join.
    first[4, 4] = True
    np.testing.assert_array_equal(grow(latents, seed, 1.5, connected=True), first)
    assert grow(latents, seed, 5.0).all()
    np.testing.assert_array_equal(grow(latents, seed, -1.0), seed)


def test_distances_are_those_of_latents() -> None:
    random = np.random.default_rng(0)
    latents, mask = random.normal(0, 1, (9, 8, 5)).astype(np.float32), np.zeros((9, 8), bool)
    mask[2:4, 1:6] = True
    to_mean = np.linalg.norm(latents - latents[mask].mean(axis=0), axis=2)
    np.testing.assert_allclose(latent_distances(latents, mask), to_mean, rtol=1e-4)
    away = np.linalg.norm(latents[:, :, None] - latents[mask], axis=3).min(axis=2)
    nearest = latent_distances(latents, mask, "nearest")
    np.testing.assert_allclose(nearest, away, atol=2e-3)
    assert nearest[mask].max() < 2e-3
    with pytest.raises(UsageError, match="no texel is selected"):
        latent_distances(latents, np.zeros((9, 8), bool))


def test_a_selection_of_two_kinds_grows_by_its_nearest_texel() -> None:
    latents = np.zeros((3, 30, 1), np.float32)
    latents[1], latents[2] = 10, 20
    seed = np.zeros((3, 30), bool)
    seed[0, 0] = seed[2, 0] = True
    np.testing.assert_array_equal(grow(latents, seed, 1, "nearest").all(axis=1), [1, 0, 1])
    # Their mean is the kind between.
    np.testing.assert_array_equal(grow(latents, seed, 1, "mean").all(axis=1), [0, 1, 0])


def test_pieces_that_hold_a_seed() -> None:
    grown = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0]], bool)
    seed = np.zeros((3, 3), bool)
    seed[0, 2] = seed[1, 1] = True
    expected = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    np.testing.assert_array_equal(connected_to(grown, seed), expected)
