"""What depends on the budget of t-SNE and on the number of threads, and what does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.embedding import embed, tsne
from napari_btf.progress import finish
from napari_btf.samples import open_sample
from napari_btf.texels.sampling import all_texels, every_nth

BUDGET = 150
"""Of 484 texels."""


@pytest.fixture(scope="module")
def cloth() -> CompressedBTF:
    """A model of the sample."""
    btf = open_sample().select(np.arange(0, 243, 3))
    return finish(fit(btf, settings=FitSettings(8, NetworkSettings(epochs=5))))


@pytest.fixture(scope="module")
def texels(cloth: CompressedBTF) -> NDArray[np.intp]:
    """One of every three texels in both directions."""
    return every_nth(all_texels(cloth.height, cloth.width), 3)


def trust(model: CompressedBTF, texels: NDArray[np.intp], points: NDArray[np.float64]) -> float:
    latents = model.latent_map[texels[:, 0], texels[:, 1]]
    return float(trustworthiness(latents, points, n_neighbors=15))


@pytest.mark.parametrize("on_a_grid", [True, False])
def test_any_number_of_threads_gives_the_same_points(
    cloth: CompressedBTF,
    texels: NDArray[np.intp],
    on_a_grid: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So few would have a tree anyway, and one thread.
    monkeypatch.setattr(tsne, "_ON_A_GRID", 0 if on_a_grid else 10_000)
    # Threads that wait for one another in every iteration take long on a busy machine.
    short = tsne._Phase(20, 12.0, 0.5), tsne._Phase(30, 1.0, 0.8)
    monkeypatch.setattr(tsne, "_FEWER_PHASES", short)
    points = []
    for most in (10_000, 0):
        monkeypatch.setattr(tsne, "_ONE_THREAD", most)
        points.append(finish(embed(cloth, coords=texels, seed=1, budget=BUDGET)))
    np.testing.assert_array_equal(points[0], points[1])


def test_a_fit_of_some_is_as_true_to_neighbours_as_one_of_all(
    cloth: CompressedBTF, texels: NDArray[np.intp]
) -> None:
    exact, placed = (
        finish(embed(cloth, coords=texels, seed=1, budget=budget)) for budget in (None, BUDGET)
    )
    found = [trust(cloth, texels, points) for points in (exact, placed)]
    print(f"trustworthiness of {len(texels)} texels: exact {found[0]:.3f}, placed {found[1]:.3f}")
    # Not the same picture, but neighbours in both; by chance it would be 0.5.
    assert not np.allclose(exact, placed)
    assert min(found) > 0.93
    assert abs(found[0] - found[1]) < 0.03
