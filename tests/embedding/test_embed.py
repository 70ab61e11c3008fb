from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.codec.latents.transformed import code_latents
from napari_btf.embedding import embed
from napari_btf.embedding.subset import representative_texels
from napari_btf.errors import UsageError
from napari_btf.progress import Progress, finish
from napari_btf.samples import open_sample
from napari_btf.texels.sampling import all_texels


@pytest.fixture(scope="module")
def model() -> CompressedBTF:
    """A model whose latents form two clouds, left and right half of the image."""
    btf = open_sample().select(np.arange(20))
    fitted = finish(fit(btf, settings=FitSettings(4, NetworkSettings(epochs=5))))
    latents = np.random.default_rng(0).normal(0, 1, (20, 20, 4)).astype(np.float32)
    latents[:, 10:] += 30
    return replace(fitted, coded=code_latents(latents, 1e-3))  # type: ignore[call-arg]


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_clouds_of_latents_stay_apart(model: CompressedBTF, method: str) -> None:
    reports: list[Progress] = []
    points = finish(embed(model, method), reports.append)  # type: ignore[arg-type]
    assert points.shape == (400, 2)
    right = (all_texels(20, 20)[:, 1] >= 10)[:, None]
    left_mean, right_mean = points[~right[:, 0]].mean(0), points[right[:, 0]].mean(0)
    to_left = np.linalg.norm(points - left_mean, axis=1)
    to_right = np.linalg.norm(points - right_mean, axis=1)
    assert np.mean((to_right < to_left) == right[:, 0]) == 1.0
    if method == "tsne":
        assert reports[-1].step == reports[-1].total == 750


@pytest.mark.usefixtures("several_threads")
def test_the_same_seed_gives_the_same_points(model: CompressedBTF) -> None:
    some = all_texels(20, 20)[::4]
    a, b = (finish(embed(model, "tsne", some, seed=3)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_texels_that_do_not_differ_lie_together(model: CompressedBTF, method: str) -> None:
    black = replace(model, coded=code_latents(np.zeros((20, 20, 4), np.float32), 1))  # type: ignore[call-arg]
    points = finish(embed(black, method))  # type: ignore[arg-type]
    np.testing.assert_array_equal(points, np.zeros((400, 2)))


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_single_latent(model: CompressedBTF, method: str) -> None:
    ramp = np.arange(400, dtype=np.float32).reshape(20, 20, 1)
    model = replace(model, coded=code_latents(ramp, 1e-3))  # type: ignore[call-arg]
    points = finish(embed(model, method))  # type: ignore[arg-type]
    assert points.shape == (400, 2)
    assert np.isfinite(points).all()
    ends = points[:40].mean(axis=0), points[-40:].mean(axis=0)
    assert np.linalg.norm(ends[0] - ends[1]) > 3 * points[:40].std(axis=0).max()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_are_none(model: CompressedBTF, seed: int) -> None:
    with pytest.raises(UsageError, match=f"the seed is {seed}; use 0 to 4294967295"):
        finish(embed(model, "tsne", seed=seed))


def test_a_few_texels(model: CompressedBTF) -> None:
    assert finish(embed(model, "tsne", [[0, 0], [0, 1], [5, 15], [6, 15]])).shape == (4, 2)
    with pytest.raises(UsageError, match="2 texels"):
        finish(embed(model, "tsne", [[0, 0], [0, 1]]))
    with pytest.raises(UsageError, match="no method 'mds'; use tsne, pca or umap"):
        finish(embed(model, "mds"))  # type: ignore[arg-type]


def clouds(
    model: CompressedBTF, side: int = 30, kinds: int = 3
) -> tuple[CompressedBTF, np.ndarray]:
    """A model of another size whose latents form clouds, and which cloud each texel is of."""
    random = np.random.default_rng(1)
    kind = random.integers(0, kinds, (side, side))
    latents = random.normal(0, 1, (side, side, 4)) + 20.0 * np.eye(4)[kind]
    return model.with_latents(latents), kind.ravel()


def neighbours_agree(points: np.ndarray, kind: np.ndarray) -> float:
    """Share of texels whose nearest ones in the plane are of their own kind."""
    from scipy.spatial import KDTree

    _, nearest = KDTree(points).query(points, 6)
    return float(np.mean(kind[nearest[:, 1:]] == kind[:, np.newaxis]))


@pytest.mark.usefixtures("several_threads")
def test_above_the_budget_the_others_are_placed_among_their_kind(model: CompressedBTF) -> None:
    surface, kind = clouds(model)
    first, second = (finish(embed(surface, "tsne", seed=2, budget=300)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (900, 2)
    assert neighbours_agree(first, kind) > 0.99


def test_umap_places_the_others_among_their_kind(model: CompressedBTF, tmp_path: Path) -> None:
    surface, kind = clouds(model)
    path, points = surface.save(tmp_path / "clouds.safetensors"), tmp_path / "points.npy"
    code = """
        import sys
        import numpy as np
        from napari_btf import load
        from napari_btf.embedding import embed
        from napari_btf.progress import finish

        model = load(sys.argv[1])
        np.save(sys.argv[2], [finish(embed(model, "umap", seed=2, budget=300)) for _ in range(2)])
    """
    # umap-learn has numba compile its functions in every process. Half of these 30 seconds are
    # optimisation, and numba reads whether it shall optimise only when a process starts.
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), path, points],
        env={**os.environ, "NUMBA_OPT": "0"},
        check=True,
        timeout=600,
    )
    first, second = np.load(points)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (900, 2)
    assert neighbours_agree(first, kind) > 0.99


def test_every_report_shows_all_points(model: CompressedBTF) -> None:
    surface, kind = clouds(model)
    shown = [report.preview() for report in embed(surface, budget=300) if report.preview]
    assert len(shown) > 20
    assert all(points.shape == (900, 2) and np.isfinite(points).all() for points in shown)
    np.testing.assert_allclose(
        np.abs(shown[0]), np.abs(finish(embed(surface, "pca"))), rtol=0, atol=1e-9
    )
    # They move, and what is near in the end is of one kind.
    assert not np.array_equal(shown[-1], shown[-5])
    assert neighbours_agree(shown[-1], kind) > 0.99


def test_all_texels_are_fitted_without_a_budget(model: CompressedBTF) -> None:
    surface, kind = clouds(model)
    whole, placed = (finish(embed(surface, budget=budget)) for budget in (None, 300))
    assert neighbours_agree(whole, kind) > 0.99
    # A texel that is placed lies at the coordinates of others, one that is fitted does not.
    assert len(np.unique(whole[:, 0])) == 900
    assert len(np.unique(placed[:, 0])) < 900


def test_texels_with_the_same_latents_share_a_place(model: CompressedBTF) -> None:
    latents = clouds(model)[0].latent_map.copy()
    latents[10:20] = latents[3, 3]
    points = finish(embed(model.with_latents(latents))).reshape(30, 30, 2)
    np.testing.assert_array_equal(points[10:20], np.broadcast_to(points[3, 3], (10, 30, 2)))
    assert len(np.unique(points.reshape(-1, 2), axis=0)) == 600


def test_the_arrangement_it_starts_from_is_kept(model: CompressedBTF) -> None:
    surface, kind = clouds(model)
    corners = np.array([(-5, -5), (5, -5), (0, 8)], float)
    start = corners[kind] + np.random.default_rng(0).normal(0, 0.1, (900, 2))
    points = finish(embed(surface, initial=start))
    means = np.array([points[kind == i].mean(axis=0) for i in range(3)])
    # Each kind lies in the direction, from the middle, where it began.
    towards, began = (
        part / np.linalg.norm(part, axis=1, keepdims=True)
        for part in (means - means.mean(axis=0), corners - corners.mean(axis=0))
    )
    assert (np.sum(towards * began, axis=1) > 0.7).all()
    with pytest.raises(UsageError, match=r"shape \(900, 3\).*give 900"):
        finish(embed(surface, initial=np.zeros((900, 3))))


def test_a_job_may_be_abandoned(model: CompressedBTF) -> None:
    job = embed(clouds(model)[0])
    for report in job:
        if report.phase == "embed" and report.step >= 100:
            break
    job.close()
    with pytest.raises(StopIteration):
        next(job)


def test_a_budget_that_is_none(model: CompressedBTF) -> None:
    with pytest.raises(UsageError, match="the budget is 50 texels; allow 100 or more"):
        finish(embed(model, budget=50))


def test_a_few_distinct_texels(model: CompressedBTF) -> None:
    latents = np.zeros((8, 8, 4), np.float32)
    latents[4:] = 1
    points = finish(embed(model.with_latents(latents))).reshape(8, 8, 2)
    assert len(np.unique(points.reshape(-1, 2), axis=0)) == 2
    assert np.ptp(points[:4], axis=(0, 1)).max() == 0


def test_latents_of_any_magnitude(model: CompressedBTF) -> None:
    surface, kind = clouds(model)
    for scale in (1e-5, 1e5):
        scaled = model.with_latents(surface.latent_map * scale)
        assert neighbours_agree(finish(embed(scaled, budget=300)), kind) > 0.99


def test_rare_kinds_are_in_the_subset() -> None:
    random = np.random.default_rng(0)
    latents = random.normal(0, 1, (20_000, 3))
    latents[:40] += 50
    for seed in range(5):
        chosen = representative_texels(latents, 1000, seed)
        assert len(np.unique(chosen)) == 1000
        # Their share by the square root of their number; at random it would be two, or none.
        assert np.count_nonzero(chosen < 40) >= 4
