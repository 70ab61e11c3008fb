from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_btf import read
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError, UsageError
from napari_btf.evaluate import psnr_over
from napari_btf.formats.conversion import convert
from napari_btf.progress import Progress, finish
from napari_btf.training import hold_out_lights, read_lights, split_lights, train

Make = Callable[..., BTF]
QUICK = FitSettings(6, NetworkSettings(epochs=20))


def test_report_agrees_with_the_model(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    held_out = np.arange(60) % 20 == 7
    model, report = finish(train(btf, settings=QUICK, held_out=held_out))
    assert len(model.light) == 57
    assert report.psnr_train == pytest.approx(finish(psnr_over(model, btf.select(~held_out))))
    assert report.psnr_held_out == pytest.approx(finish(psnr_over(model, btf.select(held_out))))
    assert report.texels_trained == 192
    assert report.bytes_capture == btf.nbytes
    summary = report.summary(1000)
    assert summary["compression_ratio"] == round(btf.nbytes / 1000, 2)


def test_the_seconds_of_each_phase_add_up(make_btf: Make) -> None:
    settings = FitSettings(network=NetworkSettings(epochs=20), bytes_per_texel=200)
    _, report = finish(train(make_btf(lights=20), settings=settings), lambda _: time.sleep(0.01))
    phases = [phase for phase in report.phases if phase != "imagine"]  # only where it helps
    assert phases == ["read", "basis", "encode", "train", "quantise", "evaluate"]
    assert min(report.phases.values()) >= 0
    assert report.seconds == pytest.approx(sum(report.phases.values()))
    summary = report.summary(1000)
    assert summary["codec"] == "neural-basis"
    assert summary["phases"]["train"] == round(report.phases["train"], 2)


@pytest.mark.parametrize("codec", ["neural-basis", "parallax"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_values_that_are_not_numbers_are_refused(make_btf: Make, codec: str, wrong: float) -> None:
    btf = make_btf(lights=20)
    frames = btf.frames.astype(np.float32)
    frames[7, 3, 4, 1] = wrong
    spoilt = BTF(frames, btf.light, btf.view, source="made/here")
    with pytest.raises(CaptureError, match="observation 7 holds 1 values that are infinite or not"):
        finish(train(spoilt, settings=FitSettings(12, codec=codec)))


@pytest.mark.parametrize("codec", ["neural-basis", "parallax", "abrdf-conv", "mlp"])
@pytest.mark.parametrize("wrong", [1e39, -1e300, 1.7e308])
def test_values_beyond_single_precision_are_refused(
    make_btf: Make, codec: str, wrong: float
) -> None:
    btf = make_btf(views=1, lights=10)
    frames = btf.frames / 255.0
    frames[7, 3, 4, 1] = wrong
    btf = replace(btf, frames=frames)
    with pytest.raises(CaptureError, match=r"observation 7 holds 1 values .* beyond 3\.4e\+38"):
        finish(train(btf, settings=FitSettings(codec=codec)))


def test_values_of_large_texel_stores_are_looked_at(tmp_path: Path, make_btf: Make) -> None:
    """Their reader does not, because it reads texels, not images."""
    btf = make_btf(views=1, lights=12, height=256, width=1024)
    frames = np.asarray(btf.frames, dtype=np.float64)
    frames[11, 200, 300] = np.nan, 1e200, 3.0
    store = read(finish(convert(replace(btf, frames=frames), tmp_path / "large.zarr")))
    settings = FitSettings(4, NetworkSettings(memory=1 << 28))
    with pytest.raises(CaptureError, match=r"observation 11 holds 2 values that are infinite"):
        finish(train(store, settings=settings))


@pytest.mark.parametrize("codec", ["neural-basis", "parallax"])
def test_a_pause_is_no_part_of_the_training(make_btf: Make, codec: str) -> None:
    # Of a size rather than of a number of latents, for which neural-basis trains nothing.
    network = NetworkSettings(seconds=1.0)
    settings = FitSettings(network=network, bytes_per_texel=400, codec=codec)
    reports: list[Progress] = []

    def pause(progress: Progress) -> None:
        if progress.phase == "train":
            # Longer than the whole training.
            if not reports:
                time.sleep(2.0)
            reports.append(progress)

    _, report = finish(train(make_btf(lights=20), settings=settings), pause)
    assert len([r for r in reports[1:] if r.step < 1000]) >= 2
    assert report.seconds == pytest.approx(sum(report.phases.values()))


def test_lights_held_out_are_spread(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    held_out = hold_out_lights(btf, 4)
    assert held_out.sum() == 5 * 3
    # Every view of a light, and neither the first light nor the last one.
    lights = btf.grid.light_of[held_out]
    assert sorted(set(lights.tolist())) == [2, 6, 10, 14, 18]
    assert not hold_out_lights(btf, 0).any()
    for wrong in (1, 21):
        with pytest.raises(UsageError, match="use 2 to 20"):
            hold_out_lights(btf, wrong)


def test_held_out_observations_have_no_influence(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    held_out = np.arange(60) % 20 == 7
    spoilt = np.where(held_out[:, None, None, None], 255 - btf.frames, btf.frames)
    other = BTF(spoilt, btf.light, btf.view)
    a, _ = finish(train(btf, settings=QUICK, held_out=held_out))
    b, _ = finish(train(other, settings=QUICK, held_out=held_out))
    np.testing.assert_array_equal(a.latent_map, b.latent_map)


class CountedFrames:
    """Observations that lie elsewhere; says how often each was read."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.reads = np.zeros(len(frames), int)

    def __getitem__(self, i: int) -> np.ndarray:
        self.reads[i] += 1
        return np.asarray(self.frames[i])


def test_every_image_is_read_once_and_reported(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    frames = CountedFrames(btf.frames)
    reports: list[Progress] = []
    held_out = np.arange(60) % 20 == 7
    job = train(BTF(frames, btf.light, btf.view), settings=QUICK, held_out=held_out)
    finish(job, reports.append)
    assert frames.reads.tolist() == [1] * 60
    assert [(r.phase, r.step, r.total) for r in reports[:60]] == [
        ("read", i + 1, 60) for i in range(60)
    ]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (FitSettings(999), "999 latents"),
        (FitSettings(4, NetworkSettings(seconds=0)), "0 seconds of training"),
        (FitSettings(4, NetworkSettings(epochs=0)), "0 epochs of training"),
        (FitSettings(4, NetworkSettings(seed=-1)), "the seed is -1"),
        (FitSettings(4, NetworkSettings(device="abacus")), "device 'abacus'"),
    ],
)
@pytest.mark.parametrize("hold", [False, True])
def test_settings_are_checked_before_anything_is_read(
    make_btf: Make, settings: FitSettings, complaint: str, hold: bool
) -> None:
    btf = make_btf(lights=20)
    frames = CountedFrames(btf.frames)
    held_out = np.arange(60) % 20 == 7 if hold else None
    with pytest.raises(UsageError, match=complaint):
        finish(train(BTF(frames, btf.light, btf.view), None, settings, held_out))
    assert not frames.reads.any()


def test_texels_learned_from_are_counted(make_btf: Make) -> None:
    some = np.argwhere(np.ones((12, 16)))[:50]
    _, report = finish(train(make_btf(lights=20), some, QUICK))
    assert report.texels_trained == 50
    assert report.psnr_held_out is None


def test_closing_a_job_ends_it(make_btf: Make) -> None:
    settings = FitSettings(network=NetworkSettings(epochs=10**9), bytes_per_texel=200)
    job = train(make_btf(lights=20), settings=settings)
    phases = []
    for progress in job:
        phases.append(progress.phase)
        if progress.phase == "train":
            job.close()
    assert phases[-1] == "train"


def test_lights_of_a_file(tmp_path: Path, make_btf: Make) -> None:
    path = tmp_path / "lights.txt"
    path.write_text("# held out\n15 137\n\n27.0, 274   # comment\n")
    np.testing.assert_allclose(read_lights(path), angles_to_vectors([15, 27], [137, 274]))
    btf = make_btf(views=3, lights=20)
    # Lights come back every five with another azimuth: only these two are meant.
    held_out = split_lights(btf, _write(path, "27 137\n39 274\n"))
    assert held_out.sum() == 6


def test_a_light_close_to_another_is_not_that_one(tmp_path: Path, make_btf: Make) -> None:
    light = angles_to_vectors([30, 33, 30.01, 10], [0, 0, 0, 0])
    btf = BTF(make_btf(views=1, lights=4).frames, light, np.tile([0.0, 0.0, 1.0], (4, 1)))
    path = _write(tmp_path / "lights.txt", "30 0\n")
    assert split_lights(btf, path).tolist() == [True, False, True, False]
    with pytest.raises(UsageError, match=r"light 31°, 0° is not in the capture"):
        split_lights(btf, _write(path, "31 0\n"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("15\n", r"line 1 is '15', expected theta and phi"),
        ("15 0\n30 x\n", r"line 2 is '30 x'"),
        ("nan nan\n", r"line 1 is 'nan nan'"),
        ("15 0\n1e400 0\n", r"line 2 is '1e400 0'"),
        ("# nothing\n", "it has no directions"),
        ("80 80\n", r"light 80°, 80° is not in the capture, the nearest is"),
    ],
)
def test_wrong_light_files(tmp_path: Path, make_btf: Make, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        split_lights(make_btf(), _write(tmp_path / "lights.txt", text))
    with pytest.raises(UsageError, match="there is no such file"):
        read_lights(tmp_path / "none.txt")


def test_holding_out_everything_is_refused(make_btf: Make) -> None:
    btf = make_btf()
    with pytest.raises(UsageError, match="all observations are held out"):
        finish(train(btf, settings=QUICK, held_out=np.ones(len(btf), bool)))


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
