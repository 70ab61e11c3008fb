from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.ndimage import zoom
from sklearn.decomposition import PCA

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.codec.fitting import checks
from napari_btf.codec.fitting.settings import MEMORY
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError, UsageError
from napari_btf.evaluate import psnr, psnr_over
from napari_btf.formats import read
from napari_btf.progress import Progress, finish
from napari_btf.texels.sampling import all_texels, random_texels

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., BTF]


def quick(latents: int = 4, **network: object) -> FitSettings:
    return FitSettings(latents, NetworkSettings(**({"epochs": 30} | network)))  # type: ignore[arg-type]


def by_size(**network: object) -> FitSettings:
    """Of a size that leaves room for imagined pairs."""
    training = NetworkSettings(**({"epochs": 30} | network))  # type: ignore[arg-type]
    return FitSettings(network=training, bytes_per_texel=200)


def pca_psnr(btf: BTF, latents: int) -> float:
    values = np.asarray(btf.frames).transpose(1, 2, 0, 3) / btf.values.largest
    values = values.reshape(btf.height * btf.width, -1)
    pca = PCA(latents, svd_solver="full").fit(values)
    return psnr(np.clip(pca.inverse_transform(pca.transform(values)), 0, 1), values)


@pytest.mark.parametrize(
    ("views", "size"),
    [(1, {}), (3, {}), (1, {"channels": 1}), (2, {"dtype": np.uint16}), (1, {"height": 1})],
)
def test_never_worse_than_pca_at_the_same_number_of_latents(
    make_btf: Make, views: int, size: dict[str, object]
) -> None:
    btf = make_btf(views=views, lights=20, **size)
    for latents in (1, 4):
        model = finish(fit(btf, settings=quick(latents)))
        assert finish(psnr_over(model, btf)) > pca_psnr(btf, latents) - 0.05


def test_wallpaper_meets_pca_and_the_published_generation(wallpaper: Path) -> None:
    btf = read(wallpaper).in_memory()
    held = np.zeros(81, bool)
    held[np.random.RandomState(1).permutation(81)[:16]] = True
    settings = FitSettings(8)
    model = finish(fit(btf, settings=settings))
    assert finish(psnr_over(model, btf)) >= 31.2
    unseen = finish(fit(btf.select(~held), settings=settings))
    assert finish(psnr_over(unseen, btf.select(held))) >= 29.2


def test_the_number_of_texels_and_latents(make_btf: Make) -> None:
    btf = make_btf()
    model = finish(fit(btf, settings=quick(5)))
    assert model.latent_map.shape == (12, 16, 5)
    assert model.latent_map.dtype == np.float32
    assert model.decode(btf.light[3], btf.view[3]).shape == (12, 16, 3)


def test_learning_from_some_texels_still_encodes_all(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    some = np.argwhere(np.ones((12, 16)))[::5]
    model = finish(fit(btf, some, quick(6)))
    assert finish(psnr_over(model, btf)) > pca_psnr(btf, 6) - 3
    assert model.latent_map.std(axis=(0, 1)).min() > 0


def test_same_seed_same_model(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    a, b = (finish(fit(btf, settings=by_size(seed=7))) for _ in range(2))
    between = angles_to_vectors(33, 71), angles_to_vectors(9, 50)
    np.testing.assert_array_equal(a.decode(*between), b.decode(*between))


def test_the_seed_chooses_the_texels_that_fit(
    make_btf: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    btf = make_btf(views=1, lights=12)
    monkeypatch.setattr(checks, "GATHERED_BYTES", MEMORY // (40 * 12 * 3))
    assert checks.texels_that_fit(btf) == 40
    for seed in (1, 2):
        chosen = random_texels(all_texels(12, 16), 40, seed)
        model = finish(fit(btf, settings=quick(seed=seed)))
        same = finish(fit(btf, chosen, quick(seed=seed)))
        np.testing.assert_array_equal(model.latent_map, same.latent_map)
        other = finish(fit(btf, random_texels(all_texels(12, 16), 40, 3), quick(seed=seed)))
        assert not np.array_equal(model.latent_map, other.latent_map)


def test_seconds_end_the_training(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    untrained = finish(fit(btf, settings=by_size(), stop=lambda: True))
    at_once = finish(fit(btf, settings=by_size(seconds=1e-9)))
    np.testing.assert_array_equal(at_once.latent_map, untrained.latent_map)


def test_smoothing_is_chosen_for_the_latents_that_matter() -> None:
    """One latent is smooth and strong, another is noise and weak: the first decides."""
    rng = np.random.default_rng(4)
    light = angles_to_vectors(rng.uniform(0, 70, 150), rng.uniform(0, 360, 150))
    strong, weak = rng.normal(0, 1, (2, 10, 10))
    values = 0.08 * np.sin(5 * light[:, 0])[:, None, None] * strong
    values += 0.001 * rng.normal(0, 1, 150)[:, None, None] * weak
    frames = ((0.5 + values)[..., None] * 65535).astype(np.uint16)
    btf = BTF(frames, light, np.tile([0.0, 0.0, 1.0], (150, 1)))
    seen = np.arange(150) < 120
    model = finish(fit(btf.select(seen), settings=quick(2, epochs=1)))
    assert finish(psnr_over(model, btf.select(~seen))) > 41


def test_repeated_observations_are_averaged(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=12)
    twice = btf.select([*range(12), 5])
    brighter = np.clip(twice.frames.astype(int), 0, 200).astype(np.uint8)
    brighter[5] = 40
    brighter[12] = 60
    model = finish(fit(replace(twice, frames=brighter), settings=quick(8)))
    assert len(model.light) == 12
    assert model.decode(btf.light[5], btf.view[5]).mean() * 255 == pytest.approx(50, abs=1.5)


def test_lights_on_one_line_and_a_single_observation(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=12)
    line = angles_to_vectors(np.linspace(-60, 60, 12), np.zeros(12))
    model = finish(fit(replace(btf, light=line), settings=quick(3)))
    assert model.basis.space.axes.shape == (4, 1)
    one = btf.select([4])
    model = finish(fit(one, settings=quick(3)))
    assert finish(psnr_over(model, one)) > 40


@pytest.mark.parametrize("apart", [0.005, 0.03, 0.1, 0.2])
def test_views_that_hardly_differ(make_btf: Make, apart: float) -> None:
    """Directions a rig repeats almost: the same point once their axis is left out."""
    btf = make_btf(views=1, lights=20).select(np.tile(np.arange(20), 3))
    view = angles_to_vectors(np.repeat([0, apart, apart], 20), np.repeat([0, 0, 120], 20))
    btf = replace(btf, view=view)
    model = finish(fit(btf, settings=quick()))
    assert len(model.light) == (60 if apart == 0.2 else 20)
    assert finish(psnr_over(model, btf)) > pca_psnr(btf, 4) - 0.05


def test_two_observations_of_almost_one_light_are_averaged(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=2)
    frames = np.zeros_like(btf.frames)
    frames[0], frames[1] = 40, 60
    btf = replace(btf, frames=frames, light=angles_to_vectors([10, 10.05], [0, 0]))
    model = finish(fit(btf, settings=quick(1)))
    assert model.decode(btf.light[0], btf.view[0]) * 255 == pytest.approx(50, abs=0.5)


def test_lights_on_a_line_but_for_one(make_btf: Make) -> None:
    """Cross-validation then leaves out the one light that spans the other dimension."""
    line = np.append(np.linspace(-60, 60, 29), 40), np.append(np.zeros(29), 90)
    btf = replace(make_btf(views=1, lights=30), light=angles_to_vectors(*line))
    model = finish(fit(btf, settings=quick()))
    assert finish(psnr_over(model, btf)) > pca_psnr(btf, 4) - 0.05


def test_a_black_capture(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=20)
    model = finish(fit(replace(btf, frames=np.zeros_like(btf.frames)), settings=quick(2)))
    assert model.decode(btf.light[0], btf.view[0]).max() < 1e-3


def test_directions_beyond_the_captured_ones_stay_at_the_edge(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    model = finish(fit(btf, settings=quick()))
    edge = model.decode(angles_to_vectors(63, 40), angles_to_vectors(20, 10))
    beyond = model.decode(angles_to_vectors(88, 40), angles_to_vectors(70, 10))
    np.testing.assert_allclose(beyond, edge, atol=1e-6)


def test_stop_ends_the_training_and_keeps_a_whole_model(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 5

    model = finish(fit(btf, settings=by_size(epochs=10**9), stop=stop))
    assert isinstance(model, CompressedBTF)
    assert len(asked) < 12
    assert finish(psnr_over(model, btf)) > pca_psnr(btf, 4)


def test_progress_names_every_phase_and_reaches_its_end(make_btf: Make) -> None:
    seen: list[Progress] = []
    finish(fit(make_btf(lights=20), settings=by_size(seconds=0.3)), seen.append)
    phases = list(dict.fromkeys(s.phase for s in seen))
    phases = [phase for phase in phases if phase != "imagine"]  # only where it helps
    assert phases == ["read", "basis", "encode", "train", "quantise"]
    for phase in ("read", "basis", "encode", "quantise"):
        last = [s for s in seen if s.phase == phase][-1]
        assert last.step == last.total


def test_a_whole_model_is_there_before_the_network_has_learned(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=20)
    previews = [progress.preview() for progress in fit(btf, None, by_size()) if progress.preview]
    assert previews
    assert all(preview is previews[0] for preview in previews)
    assert previews[0].file_size <= 200 * 12 * 16 + 2**16
    decoded = np.stack(list(previews[0].shaded(btf.light, btf.view)))
    assert psnr(decoded, btf.frames / 255.0) > 40


@pytest.mark.parametrize(
    "settings", [FitSettings(bytes_per_texel=3.0), FitSettings(target_psnr=38.0), FitSettings(6)]
)
def test_a_first_model_is_offered_before_a_large_surface_is_coded(
    make_btf: Make, settings: FitSettings
) -> None:
    btf = make_btf(views=1, lights=9)
    btf = replace(btf, frames=zoom(btf.frames, (1, 6, 8, 1), order=1))
    noise = np.random.default_rng(0).integers(-9, 10, btf.frames.shape)
    btf = replace(btf, frames=np.clip(btf.frames + noise, 0, 255).astype(np.uint8))
    assert btf.height * btf.width > 8192
    previews: list[CompressedBTF] = []

    def look(progress: Progress) -> None:
        if progress.preview is not None and not previews:
            assert (progress.phase, progress.step) == ("quantise", 0)
            previews.append(progress.preview())

    last = finish(fit(btf, settings=settings), look)
    (first,) = previews
    captured = btf.frames / 255.0
    quality = [psnr(np.stack(list(m.shaded(btf.light, btf.view))), captured) for m in (first, last)]
    assert quality[0] == pytest.approx(quality[1], abs=1.0)
    assert first.file_size == pytest.approx(last.file_size, rel=0.15)


def test_a_number_of_latents_has_a_closed_form(make_btf: Make) -> None:
    """Those of PCA, without anything to train."""
    seen: list[Progress] = []
    finish(fit(make_btf(lights=20), settings=quick()), seen.append)
    assert list(dict.fromkeys(s.phase for s in seen)) == ["read", "basis", "encode", "quantise"]


def test_settings_that_cannot_work(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=2)
    with pytest.raises(UsageError, match=r"7 latents were asked for.* allow 1 to 6"):
        finish(fit(btf, settings=quick(7)))
    with pytest.raises(UsageError, match="0 latents"):
        finish(fit(btf, settings=quick(0)))
    with pytest.raises(UsageError, match=r"4 latents were asked for, 3 texels"):
        finish(fit(btf, [[0, 0], [0, 1], [0, 2]], quick(4)))
    with pytest.raises(UsageError, match="device 'abacus' cannot be used"):
        finish(fit(make_btf(), settings=quick(device="abacus")))
    with pytest.raises(UsageError, match="seconds of training"):
        finish(fit(btf, settings=quick(2, seconds=-1.0)))
    with pytest.raises(UsageError, match="0 epochs"):
        finish(fit(btf, settings=quick(2, epochs=0)))


def test_captures_no_model_can_hold(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    with pytest.raises(UsageError, match=r"its values are uint32, models hold uint8, uint16"):
        finish(fit(replace(btf, frames=btf.frames.astype(np.uint32)), settings=quick()))
    below = replace(btf, light=angles_to_vectors(*np.full((2, 60), 95.0)))
    with pytest.raises(UsageError, match="lights or views below the surface"):
        finish(fit(below, settings=quick()))


def test_a_damaged_image_names_its_file(write_capture: Callable[..., Path]) -> None:
    folder = write_capture(extension=".jpg", lights=8, height=64, width=64)
    path = sorted(folder.iterdir())[9]
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CaptureError, match=path.name):
        finish(fit(read(folder), settings=quick()))


def test_high_dynamic_range(data_dir: Path) -> None:
    """Linear radiance with highlights above 1, against PCA of its logarithms."""
    with np.load(data_dir / "weave" / "lights128_linear.npz") as stored:
        radiance = np.pi * stored["radiance"][:, ::4, ::4].astype(np.float32)
        light = angles_to_vectors(*stored["lights_theta_phi_deg"].T)
    assert radiance.max() > 2
    btf = BTF(radiance, light, np.tile([0.0, 0.0, 1.0], (len(light), 1)))
    model = finish(fit(btf, settings=quick(16)))
    fitted = np.log1p(radiance).transpose(1, 2, 0, 3).reshape(32 * 32, -1)
    pca = PCA(16, svd_solver="full").fit(fitted)
    error = fitted - pca.inverse_transform(pca.transform(fitted))
    expected = 10 * np.log10(fitted.max() ** 2 / np.mean(error**2))
    assert finish(psnr_over(model, btf)) > expected - 0.1
    decoded = model.decode(btf.light[40], btf.view[40])
    assert decoded.max() > 1
