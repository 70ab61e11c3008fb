from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_btf.baselines import fit_pca
from napari_btf.btf import BTF
from napari_btf.evaluate import psnr
from napari_btf.formats import read
from napari_btf.progress import finish

Make = Callable[..., BTF]


def shaded(fitted: object, btf: BTF) -> np.ndarray:
    return np.stack(list(fitted.shaded(btf.light, btf.view)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(40, 30), (6, 5)])
def test_it_is_the_best_of_its_rank(make_btf: Make, size: tuple[int, int]) -> None:
    """More texels than values, and fewer: against the singular value decomposition."""
    btf = make_btf(height=size[0], width=size[1])
    fitted = finish(fit_pca(btf, latents=4))
    assert fitted.latents == 4
    flat = btf.frames.transpose(1, 2, 0, 3).reshape(size[0] * size[1], -1) / 255
    mean = flat.mean(axis=0)
    u, s, v = np.linalg.svd(flat - mean, full_matrices=False)
    best = mean + (u[:, :4] * s[:4]) @ v[:4]
    best = best.reshape(*size, len(btf), 3).transpose(2, 0, 1, 3)
    found = shaded(fitted, btf)
    # 8 bits of the latents and 16 of the basis are all that is lost.
    assert psnr(found, best) > 45
    assert psnr(found, btf.frames / 255) > psnr(best, btf.frames / 255) - 0.1


def test_the_size_is_what_was_asked_for(make_btf: Make) -> None:
    btf = make_btf(height=24, width=20)
    sizes = []
    for budget in (8_000, 12_000, 20_000):
        fitted = finish(fit_pca(btf, budget))
        k = fitted.latents
        # Codes, scale and offset; half precision at 30 pairs of 3 channels; 30 pairs of angles.
        assert fitted.nbytes == k * 480 + 8 * k + 2 * (k + 1) * 3 * 30 + 16 * 30
        assert fitted.nbytes <= budget < fitted.nbytes + 480 + 8 + 180
        sizes.append(k)
    assert sizes == sorted(set(sizes))
    assert finish(fit_pca(btf, 10)).latents == 1
    assert finish(fit_pca(btf, 10**9)).latents == 90


def test_repeated_pairs_are_one(make_btf: Make) -> None:
    btf = make_btf()
    twice = BTF(
        np.concatenate([btf.frames, btf.frames]),
        np.tile(btf.light, (2, 1)),
        np.tile(btf.view, (2, 1)),
    )
    once, again = (shaded(finish(fit_pca(b, latents=3)), btf) for b in (btf, twice))
    # The signs and lengths of the components differ, and with them the rounding of the latents.
    np.testing.assert_allclose(once, again, atol=0.02)


def test_one_pair_and_no_variance() -> None:
    normal = np.array([[0.0, 0.0, 1.0]])
    grey = BTF(np.full((1, 6, 5, 3), 51, np.uint8), normal, normal)
    image = shaded(finish(fit_pca(grey, latents=2)), grey)
    np.testing.assert_allclose(image, 0.2, atol=1e-3)


def test_too_many_values_for_all_texels(make_btf: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_btf.baselines import principal

    btf = make_btf(height=24, width=20)
    every = finish(fit_pca(btf, latents=6))
    assert every.note == "K = 6, 8 bits"
    monkeypatch.setattr(principal, "_GATHER_VALUES", 200 * 90)
    some = finish(fit_pca(btf, latents=6))
    assert some.note == "K = 6, 8 bits, learned from 200 texels chosen at random"
    assert some.codes.shape == (24, 20, 6)
    reference = btf.frames / 255
    assert psnr(shaded(some, btf), reference) > psnr(shaded(every, btf), reference) - 1


def test_radiance(make_btf: Make) -> None:
    btf = make_btf()
    bright = BTF((btf.frames / 255 * 7).astype(np.float32), btf.light, btf.view)
    found = shaded(finish(fit_pca(bright, latents=12)), bright)
    np.testing.assert_allclose(found, np.log1p(bright.frames), atol=0.2)


def test_known_figures_of_the_wallpaper(wallpaper: Path) -> None:
    btf = read(wallpaper).in_memory()
    held = np.isin(np.arange(81), np.random.RandomState(1).permutation(81)[:16])
    unseen = btf.select(held)
    scores = []
    for smoothing in (0.01, None):
        fitted = finish(fit_pca(btf.select(~held), latents=8, smoothing=smoothing))
        scores.append(psnr(np.clip(shaded(fitted, unseen), 0, 1), unseen.frames / 255))
    assert scores[0] == pytest.approx(28.97, abs=0.03)
    assert scores[1] > scores[0] - 0.1


def test_the_smoothing_suits_the_capture(make_btf: Make) -> None:
    """A surface without noise needs none: any smoothing is worse there."""
    btf = make_btf(views=1, lights=60)
    held = np.arange(60) % 6 == 5
    unseen = btf.select(held)
    scores = []
    for smoothing in (None, 0.0, 0.1):
        fitted = finish(fit_pca(btf.select(~held), latents=6, smoothing=smoothing))
        scores.append(psnr(np.clip(shaded(fitted, unseen), 0, 1), unseen.frames / 255))
    assert scores[0] >= scores[1] - 0.2
    assert scores[0] > scores[2] + 1
