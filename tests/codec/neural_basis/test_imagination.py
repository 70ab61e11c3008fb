from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit, load
from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.directions import angle_between, angles_to_vectors
from napari_btf.evaluate import psnr_over
from napari_btf.progress import finish

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = FitSettings(network=NetworkSettings(epochs=10), bytes_per_texel=24)


def glossy(lights: int = 64, size: int = 40, noise: float = 0.0) -> BTF:
    """A bumpy surface whose highlights are narrower than the lights are apart."""
    rng = np.random.default_rng(0)
    i = np.arange(lights)
    order = rng.permutation(lights)
    theta = np.degrees(np.arccos(1 - (1 - np.cos(np.radians(65))) * (i + 0.5) / lights))[order]
    light = angles_to_vectors(theta, (137.5 * i % 360)[order])
    view = np.tile([0.0, 0.0, 1.0], (lights, 1))
    half = (light + view) / np.linalg.norm(light + view, axis=1, keepdims=True)
    y, x = np.indices((size, size)) / size
    slopes = 0.35 * np.stack([np.sin(9 * x + 4 * y), np.cos(7 * y - 3 * x)], axis=-1)
    normal = np.concatenate([slopes, np.ones((size, size, 1))], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    colour = np.array([0.5, 0.4, 0.3]) * (0.7 + 0.3 * x[..., None])
    matte = np.clip(np.einsum("hwk,nk->nhw", normal, light), 0, 1)[..., None] * colour
    gloss = np.clip(np.einsum("hwk,nk->nhw", normal, half), 0, 1) ** 60
    values = matte + 0.4 * gloss[..., None] + noise * rng.normal(size=matte.shape)
    return BTF((255 * np.clip(values, 0, 1)).round().astype(np.uint8), light, view)


def fitted(btf: BTF, settings: FitSettings = SETTINGS) -> NeuralBasisBTF:
    model = finish(fit(btf, settings=settings))
    assert isinstance(model, NeuralBasisBTF)
    return model


@pytest.fixture(scope="module")
def undisturbed() -> NeuralBasisBTF:
    """The model of a training that nothing interrupts."""
    return fitted(glossy())


def test_what_was_imagined_makes_unseen_lights_better(tmp_path: Path) -> None:
    btf = glossy()
    seen = np.arange(64) % 4 != 1
    model = fitted(btf.select(seen))
    plain = finish(fit(btf.select(seen), settings=SETTINGS, stop=lambda: True))
    assert len(model.imagined_light) > 0
    gain = finish(psnr_over(model, btf.select(~seen))) - finish(psnr_over(plain, btf.select(~seen)))
    assert gain > 1.5
    # The captured lights hardly pay for it, the size not at all, and a file keeps it.
    assert finish(psnr_over(model, btf.select(seen))) > 55
    assert model.file_size <= 24 * 40 * 40 + (1 << 16)
    back = load(model.save(tmp_path / "model.safetensors"))
    between = angles_to_vectors(33, 71), [0.0, 0.0, 1.0]
    np.testing.assert_array_equal(back.decode(*between), model.decode(*between))
    assert len(model.light) == 48


def test_imagined_pairs_lie_in_the_gaps_between_the_captured(undisturbed: NeuralBasisBTF) -> None:
    btf, model = glossy(), undisturbed
    apart = np.array([angle_between(btf.light, light).min() for light in model.imagined_light])
    assert apart.min() > 3
    assert model.imagined_light[:, 2].min() > btf.light[:, 2].min() - 1e-6
    np.testing.assert_array_equal(model.imagined_view, np.tile([0.0, 0.0, 1.0], (len(apart), 1)))


def test_nothing_is_imagined_of_noise() -> None:
    rng = np.random.default_rng(1)
    btf = glossy()
    noise = rng.integers(0, 255, btf.frames.shape).astype(np.uint8)
    assert len(fitted(replace(btf, frames=noise)).imagined_light) == 0


def test_few_lights_and_a_number_of_latents_are_left_alone() -> None:
    btf = glossy()
    few = np.arange(64) % 5 == 0
    assert len(fitted(btf.select(few)).imagined_light) == 0
    assert len(fitted(btf, replace(SETTINGS, bytes_per_texel=None, latents=6)).imagined_light) == 0


def test_seed_and_steps_alone_decide(undisturbed: NeuralBasisBTF) -> None:
    assert len(undisturbed.imagined_light) > 0
    # Seconds that are enough change nothing, too.
    allowed = replace(SETTINGS, network=NetworkSettings(epochs=10, seconds=600.0))
    assert fitted(glossy(), allowed).to_bytes() == undisturbed.to_bytes()


def test_goes_on_as_if_nothing_had_happened(
    undisturbed: NeuralBasisBTF, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted twice, the second time in what the first had left."""
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    path = tmp_path / "notes"
    seen: list[int] = []
    for until, is_resumed in ((150, False), (700, True)):
        checkpoint = Checkpoint(path, resume=is_resumed, every=0.0)
        seen.clear()
        job = fit(glossy(), None, SETTINGS, checkpoint=checkpoint)
        for progress in job:
            if progress.train_error:
                seen.append(progress.step)
                if progress.step > until:
                    break
        job.close()
    assert min(seen) > 130
    seen.clear()
    resumed = finish(
        fit(glossy(), None, SETTINGS, checkpoint=Checkpoint(path, resume=True)),
        lambda report: seen.append(report.step) if report.train_error else None,
    )
    assert min(seen) > 680
    assert resumed.to_bytes() == undisturbed.to_bytes()


def test_hopeless_imagining_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    btf = glossy()
    noise = np.random.default_rng(1).integers(0, 255, btf.frames.shape).astype(np.uint8)
    job = fit(replace(btf, frames=noise), settings=FitSettings(bytes_per_texel=24))
    steps = [progress.step for progress in job if progress.phase == "train"]
    # Of all the steps, a twelfth.
    assert 50 < max(step for step in steps if step < 1000) < 100


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_a_divergence_goes_back_and_does_no_harm(
    rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_btf.codec.neural_basis.imagination.imagine.RATE", rate)
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    btf, phases = glossy(), set()
    model = finish(fit(btf, settings=SETTINGS), lambda report: phases.add(report.phase))
    assert "train slower" in phases
    assert finish(psnr_over(model, btf)) > 50
    assert np.ptp(model.relight((33, 71))) > 10
