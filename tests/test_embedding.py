from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.codec.latent_coding import code_latents
from napari_btf.embedding import embed, write_embedding
from napari_btf.errors import UsageError
from napari_btf.progress import Progress, finish
from napari_btf.samples import open_sample
from napari_btf.sampling import all_texels


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
    with pytest.raises(UsageError, match="no method 'umap'; use tsne or pca"):
        finish(embed(model, "umap"))  # type: ignore[arg-type]


def test_the_table_has_x_as_the_column(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tsne.csv"
    write_embedding(path, [[1.5, -2], [0.25, 3]], [[7, 30], [8, 31]])
    assert path.read_text() == "tsne_x,tsne_y,image_x,image_y\n1.5,-2,30,7\n0.25,3,31,8\n"
    with pytest.raises(UsageError, match="cannot be written"):
        write_embedding(path / "tsne.csv", [[0, 0]], [[0, 0]])
