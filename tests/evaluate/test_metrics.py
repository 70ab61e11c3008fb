from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.evaluate import psnr, psnr_over, ssim
from napari_btf.progress import finish


def test_psnr_of_a_known_error() -> None:
    reference = np.full((5, 4, 3), 0.5)
    assert psnr(reference + 0.1, reference) == pytest.approx(20)
    assert psnr(reference, reference) == np.inf


def test_ssim_falls_with_the_structure_not_with_the_size_of_the_image() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (32, 32, 3))
    assert ssim(image, image) == pytest.approx(1)
    assert ssim(image, image.mean(axis=(0, 1), keepdims=True) + 0 * image) < 0.2
    assert np.isnan(ssim(image[:5], image[:5]))


def test_psnr_over_is_one_error_over_all_images(make_btf: Callable[..., BTF]) -> None:
    btf = make_btf(lights=20)
    model = finish(fit(btf, settings=FitSettings(3, NetworkSettings(epochs=10))))
    decoded = np.stack([model.decode(*pair) for pair in zip(btf.light, btf.view, strict=True)])
    assert finish(psnr_over(model, btf)) == pytest.approx(psnr(decoded, btf.frames / 255), abs=1e-3)
