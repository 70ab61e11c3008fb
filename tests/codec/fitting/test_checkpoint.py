"""Trainings that are ended in the middle and go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError, UsageError
from napari_btf.progress import finish

SIZE = 12
SETTINGS = FitSettings(latents=6, codec="parallax", network=NetworkSettings(epochs=30))
OTHERS = {
    codec: FitSettings(4, NetworkSettings(epochs=30), codec=codec)
    for codec in ("abrdf-conv", "mlp", "neural-basis")
}


def small_capture(seed: int = 0) -> BTF:
    """A cloudy picture that the light tints, under 5 views and 4 lights: there is much to learn."""
    rng = np.random.default_rng(seed)
    view = angles_to_vectors(np.array([0.0, 30, 30, 30, 30]), np.arange(5) * 90.0)
    light = angles_to_vectors(np.array([0.0, 40, 40, 40]), np.arange(4) * 120.0)
    light, view = np.tile(light, (5, 1)), np.repeat(view, 4, axis=0)
    picture = rng.uniform(0.2, 1.0, (SIZE, SIZE, 3))
    slope = rng.uniform(-1.0, 1.0, (SIZE, SIZE, 3))
    shade = 0.6 * light[:, 2, None, None] + 0.4 * (slope @ light.T).transpose(2, 0, 1)
    frames = np.rint(200 * picture * np.clip(shade, 0.05, 1.0)[..., None]).astype(np.uint8)
    return BTF(frames, light, view, source="made/small")


def end_in(phase: str, btf: BTF, coords: np.ndarray | None, path: Path) -> None:
    """Train until a note of this phase was taken, and drop the training."""
    job = fit(btf, coords, SETTINGS, checkpoint=Checkpoint(path, every=0.0))
    for progress in job:
        if progress.phase == phase and progress.step > 300:
            break
    job.close()
    assert path.exists()


@pytest.mark.parametrize("phase", ["train", "encode"])
def test_goes_on_as_if_nothing_had_happened(
    phase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    btf = small_capture()
    coords = np.argwhere(np.ones((6, 6))) if phase == "encode" else None
    undisturbed = finish(fit(btf, coords, SETTINGS))
    path = tmp_path / "notes"
    end_in(phase, btf, coords, path)
    steps: list[int] = []
    resumed = finish(
        fit(btf, coords, SETTINGS, checkpoint=Checkpoint(path, resume=True)),
        lambda progress: steps.append(progress.step) if progress.phase == phase else None,
    )
    assert min(steps) > 100
    assert resumed.to_bytes() == undisturbed.to_bytes()


@pytest.mark.parametrize("settings", [SETTINGS, *OTHERS.values()], ids=lambda s: s.codec)
def test_one_seed_gives_one_file(settings: FitSettings) -> None:
    first, second = (finish(fit(small_capture(), None, settings)).to_bytes() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("codec", ["abrdf-conv", "mlp"])
def test_codecs_to_compare_with_go_on_too(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    path = tmp_path / "notes"
    job = fit(small_capture(), None, OTHERS[codec], checkpoint=Checkpoint(path, every=0.0))
    for progress in job:
        if progress.phase == "train" and progress.step > 300:
            break
    job.close()
    steps: list[int] = []
    resumed = finish(
        fit(small_capture(), None, OTHERS[codec], checkpoint=Checkpoint(path, resume=True)),
        lambda progress: steps.append(progress.step) if progress.phase == "train" else None,
    )
    assert min(steps) > 250
    assert resumed.to_bytes() == finish(fit(small_capture(), None, OTHERS[codec])).to_bytes()


def test_a_preview_is_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", 0.0)
    btf = small_capture()
    previews = [
        progress.preview().decode(btf.light[1], btf.view[1])
        for progress in fit(btf, None, SETTINGS)
        if progress.preview is not None and progress.step in (0, 1000)
    ]
    assert [image.shape for image in previews[:1]] == [(SIZE, SIZE, 3)]
    assert np.abs(previews[0] - previews[-1]).max() > 0.1


def test_other_settings_or_captures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    end_in("train", small_capture(), None, path)
    others = (
        (small_capture(seed=1), None, SETTINGS),
        (small_capture(), np.array([[1, 1]]), SETTINGS),
        (small_capture(), None, replace(SETTINGS, latents=7)),
    )
    for btf, coords, settings in others:
        with pytest.raises(UsageError, match="of another capture or has other settings"):
            finish(fit(btf, coords, settings, checkpoint=Checkpoint(path, resume=True)))
    longer = replace(SETTINGS, network=NetworkSettings(epochs=35))
    model = finish(fit(small_capture(), None, longer, checkpoint=Checkpoint(path, resume=True)))
    assert isinstance(model, ParallaxBTF)


def test_damaged_notes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    end_in("train", small_capture(), None, path)
    content = path.read_bytes()
    for damaged in (b"", content[:50], content[:-100], b"\0" * 100):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="no unfinished training, or damaged"):
            finish(fit(small_capture(), None, SETTINGS, checkpoint=Checkpoint(path, resume=True)))


def test_notes_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    end_in("train", small_capture(), None, path)
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        ((key, header),) = file.metadata().items()
    save_file(tensors, path, {key: json.dumps(json.loads(header) | {"version": 1})})
    with pytest.raises(ModelFileError, match=r"an earlier version has written it; .*start anew"):
        finish(fit(small_capture(), None, SETTINGS, checkpoint=Checkpoint(path, resume=True)))
    anew = Checkpoint(path)
    first = next(fit(small_capture(), None, SETTINGS, checkpoint=anew))
    assert (first.phase, anew.found) == ("read", None)


def test_a_place_that_cannot_be_written_ends_the_notes_alone(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, every=0.0)
    model = finish(fit(small_capture(), None, SETTINGS, checkpoint=checkpoint))
    assert isinstance(model, ParallaxBTF)
    assert "it is a folder" in checkpoint.failure
