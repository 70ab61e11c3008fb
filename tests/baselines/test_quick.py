from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_btf.baselines import fit_pca, fit_ptm, fit_quick
from napari_btf.baselines.quick import MOST_TEXELS
from napari_btf.btf import BTF
from napari_btf.codec.decoding.part import Part
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import UsageError
from napari_btf.export.onnx_export import write_onnx
from napari_btf.progress import finish

Make = Callable[..., BTF]


def matte(count: int, theta: float | None = None) -> BTF:
    """One view of 4 x 6 matte texels; lights anywhere, or all at one theta."""
    rng = np.random.default_rng(1)
    azimuths = np.arange(count) * 222.5
    light = angles_to_vectors(rng.uniform(5, 70, count) if theta is None else theta, azimuths)
    normal = np.dstack([rng.normal(0, 0.2, (4, 6, 2)), np.ones((4, 6))])
    shade = np.clip(normal @ light.T, 0, 1).transpose(2, 0, 1)[..., np.newaxis]
    frames = np.rint(shade * [120, 160, 200]).astype(np.uint8)
    return BTF(frames, light, np.tile([0.0, 0.0, 1.0], (count, 1)))


@pytest.mark.parametrize(
    ("btf", "kind"),
    [
        (matte(40), "quick HSH"),
        (matte(12), "quick PTM"),
        (matte(5), "quick PCA"),
        (matte(30, theta=50.0), "quick PCA"),
    ],
    ids=["many lights", "some lights", "few lights", "ring"],
)
def test_the_kind_suits_the_lights(btf: BTF, kind: str) -> None:
    model = finish(fit_quick(btf))
    assert model.architecture == kind
    for i in (0, 3):
        shown = model.image(btf.light[i], btf.view[i])
        assert np.abs(shown.astype(float) - btf.frame(i)).mean() < 6


def test_a_preview_is_the_baseline() -> None:
    btf = matte(12)
    model, ptm = finish(fit_quick(btf)), finish(fit_ptm(btf, 1 << 30))
    pairs = angles_to_vectors([10, 30], [20, 200]), np.tile([0.0, 0.0, 1.0], (2, 1))
    for shown, expected in zip(model.shaded(*pairs), ptm.shaded(*pairs), strict=True):
        np.testing.assert_allclose(shown, expected, atol=1e-5)
    part = Part.of(4, 6, slice(1, 3), slice(2, 6))
    np.testing.assert_allclose(
        next(model.shaded_part(*pairs, part)), next(ptm.shaded(*pairs))[1:3, 2:], atol=1e-5
    )


def test_several_views_need_principal_components(make_btf: Make) -> None:
    btf = make_btf()
    model = finish(fit_quick(btf))
    assert model.architecture == "quick PCA"
    expected = finish(fit_pca(btf, None, model.latent_count, 1e-3))
    pair = btf.light[:1], btf.view[:1]
    np.testing.assert_allclose(next(model.shaded(*pair)), next(expected.shaded(*pair)), atol=1e-5)
    # Other latents, as the dock Latent space shows them.
    black = model.with_latents(0 * model.latent_map)
    assert (
        len(np.unique(black.image(btf.light[0], btf.view[0]).reshape(-1, btf.channels), axis=0))
        == 1
    )


def test_a_preview_is_not_saved(tmp_path: Path) -> None:
    model = finish(fit_quick(matte(12)))
    with pytest.raises(UsageError, match="a quick preview cannot be saved or exported"):
        model.save(tmp_path / "m.safetensors")
    with pytest.raises(UsageError, match="a quick preview cannot be saved or exported"):
        write_onnx(model, tmp_path)
    assert not list(tmp_path.iterdir())
    assert model.file_size == model.latent_bytes == 4 * 4 * 6 * 18


def test_large_surfaces_are_refused() -> None:
    frames = np.broadcast_to(np.uint8(0), (6, 2, MOST_TEXELS, 1))
    light = angles_to_vectors(30, np.arange(6) * 60)
    with pytest.raises(UsageError, match="too many for a quick preview"):
        finish(fit_quick(BTF(frames, light, np.tile([0.0, 0.0, 1.0], (6, 1)))))
