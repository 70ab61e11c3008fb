"""The verb `train`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from own_process import program
from PIL import Image

from command_line import btf, ok, refused
from napari_btf.codec import FitSettings, NetworkSettings, fit, load
from napari_btf.codec.fitting.checkpoint import checkpoint_path
from napari_btf.directions import angles_to_vectors
from napari_btf.evaluate import psnr
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.texels.sampling import all_texels, random_texels
from programs import kill, until_noted


def test_train_relight_and_the_photograph_agree(weave: Path, tmp_path: Path) -> None:
    out = tmp_path / "weave.safetensors"
    done = program("train", weave, "--out", out, "--latents", 24, "--epochs", 50, "--json")
    figures = json.loads(ok(done))
    assert figures["psnr_held_out"] is None
    assert figures["bytes_model"] == out.stat().st_size
    assert figures["bytes_capture"] == 6967296
    assert figures["texels_trained"] == 4096
    assert figures["latents"] == 24
    assert figures["seconds"] > 0

    # The figure is one mean squared error over all images: so is this one.
    capture, errors = read(weave), []
    for i in (0, 100, 333, 566):
        image = tmp_path / f"{i}.png"
        angles = capture_angles(weave, i)
        light, view = f"{angles[0]},{angles[1]}", f"{angles[2]},{angles[3]}"
        ok(btf("relight", out, "--light", light, "--view", view, "--out", image))
        with Image.open(image) as opened:
            relit = np.asarray(opened) / 255
        errors.append(10 ** (-psnr(relit, capture.frame(i) / 255) / 10))
    assert -10 * np.log10(np.mean(errors)) == pytest.approx(figures["psnr_train"], abs=1.5)


def capture_angles(folder: Path, i: int) -> tuple[int, ...]:
    name = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))[i]
    words = Path(name).stem.split()[1:]
    return tuple(int(word[2:]) for word in words)


def test_wallpaper_meets_the_known_figures(wallpaper: Path, tmp_path: Path) -> None:
    out = tmp_path / "wallpaper.safetensors"
    command = ["train", wallpaper, "--out", out, "--latents", 8, "--seconds", 4, "--json"]
    assert json.loads(ok(btf(*command)))["psnr_train"] >= 31.2

    lights = tmp_path / "lights.txt"
    names = sorted(wallpaper.iterdir())
    held = [names[i].stem.split()[1:3] for i in np.random.RandomState(1).permutation(81)[:16]]
    lights.write_text("".join(f"{tl[2:]} {pl[2:]}\n" for tl, pl in held))
    figures = json.loads(ok(btf(*command, "--hold-out-lights", lights)))
    assert figures["psnr_held_out"] >= 29.15
    assert len(load(out).light) == 65


def test_a_quality_out_of_reach_is_said(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    capture, out = (
        write_capture(views=1, lights=12, height=48, width=64),
        tmp_path / "m.safetensors",
    )
    command = ["train", capture, "--out", out, "--epochs", 5, "--json"]
    for target, reached in ((30, True), (150, False)):
        done = btf(*command, "--target-psnr", target)
        figures = json.loads(ok(done))
        assert (figures["psnr_train"] >= target) == reached
        assert (f"note: the target is {target} dB" in done.stderr) != reached


def test_chosen_texels(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    capture = write_capture(views=1, lights=12, height=32, width=48)
    out = tmp_path / "model.safetensors"
    texels = tmp_path / "texels.csv"
    texels.write_text("x,y\n" + "".join(f"{x},{y}\n" for y in range(10) for x in range(20, 30)))
    common = ["train", capture, "--out", out, "--latents", 4, "--epochs", 1, "--json"]
    for extra, count in (
        (["--texels", texels], 100),
        (["--texels", texels, "--step", 2], 25),
        (["--pixels", 300], 300),
        (["--step", 4], 96),
        (["--step", 4, "--pixels", 77], 77),
        (["--step", 4, "--pixels", 97], 96),
    ):
        done = btf(*common, *extra)
        assert json.loads(ok(done))["texels_trained"] == count
        note = "note: --pixels is 97, but only 96 texels can be used; all are used"
        assert (note in done.stderr) == (97 in extra)


def test_codecs_without_a_size(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    capture, path = write_capture(views=1, lights=12), tmp_path / "a.safetensors"
    options = "--codec", "abrdf-conv", "--epochs", 1, "--pixels", 50, "--json"
    report = json.loads(ok(btf("train", capture, "--out", path, *options)))
    assert (report["codec"], report["latents"], report["texels_trained"]) == ("abrdf-conv", 8, 50)
    train = "train", capture, "--out", path, "--codec", "abrdf-conv"
    refused(btf(*train, "--bytes-per-texel", 8), "made for a number of latents", "give a number of")


def test_options_reach_the_training(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    folder, out = write_capture(views=3, lights=20), tmp_path / "model.safetensors"
    options = ["--latents", 4, "--pixels", 40, "--seed", 3, "--seconds", 1e-9]
    ok(btf("train", folder, "--out", out, *options))
    settings = FitSettings(4, NetworkSettings(seed=3))
    capture = read(folder)

    def alike(coords: np.ndarray) -> bool:
        # An untrained network: so little time is none.
        expected = finish(fit(capture, coords, settings, stop=lambda: True))
        found = load(out)
        between = angles_to_vectors(33, 71), angles_to_vectors(9, 50)
        return np.allclose(found.decode(*between), expected.decode(*between), atol=1e-3)

    every = all_texels(capture.height, capture.width)
    assert alike(random_texels(every, 40, 3))
    assert not alike(random_texels(every, 40, 0))
    assert not alike(every[:40])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_a_killed_training_goes_on(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    """kill -9 loses some seconds, and what comes out is what would have come out."""
    capture = write_capture(views=3, lights=8)
    out, undisturbed = tmp_path / "model.safetensors", tmp_path / "undisturbed.safetensors"
    options = ["--codec", "parallax", "--latents", "6", "--epochs", "20", "--seed", "3"]
    ok(btf("train", capture, "--out", undisturbed, *options))
    command = [sys.executable, "-m", "napari_btf", "train", str(capture), "--out", str(out)]
    running = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    try:
        until_noted(running, out)
    finally:
        kill(running)
    assert checkpoint_path(out).exists()
    assert not out.exists()
    refused(btf("train", capture, "--out", out, *options, "--latents", 7, "--resume"), "settings")
    ok(btf("train", capture, "--out", out, *options, "--resume"))
    assert out.read_bytes() == undisturbed.read_bytes()
    assert sorted(tmp_path.iterdir()) == [capture, out, undisturbed]


def test_resuming_without_anything_to_resume(weave: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    done = btf("train", weave, "--out", out, "--latents", 4, "--resume")
    ok(done)
    assert "there is no unfinished training" in done.stderr
    checkpoint_path(out).write_bytes(b"")
    refused(btf("train", weave, "--out", out, "--latents", 4, "--resume"), "damaged")
    done = btf("train", weave, "--out", out, "--latents", 4)
    ok(done)
    assert "--resume would continue it" in done.stderr
    assert sorted(tmp_path.iterdir()) == [out]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for another process")
def test_a_training_resumed_while_it_encodes_was_a_training(
    write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model.safetensors"
    options = ["--codec", "parallax", "--latents", "6", "--epochs", "20", "--step", "2"]
    command = ["train", str(capture), "--out", str(out), *options]
    with subprocess.Popen(
        [sys.executable, "-m", "napari_btf", *command, "--log-json"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line).get("phase") == "encode":
                process.send_signal(signal.SIGTERM)
                break
        said = process.stderr.read()
    assert process.returncode == 75, said
    done = btf(*command, "--resume")
    ok(done)
    assert "training ..." not in done.stderr
    assert "encoding texels ..." in done.stderr
    assert "nothing to train" not in done.stderr


def test_stopping_keeps_the_best_so_far(frontal: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    command = [sys.executable, "-m", "napari_btf", "train", str(frontal), "--out", str(out)]
    with subprocess.Popen(
        [*command, "--bytes-per-texel", "16", "--seconds", "600", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("training"):
                break
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "keeping the best so far" in stderr
    assert json.loads(stdout)["bytes_model"] == out.stat().st_size


def test_what_is_kept_instead_of_parallax_is_said(
    write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture, out = write_capture(views=16, lights=16), tmp_path / "model.safetensors"
    done = btf("train", capture, "--out", out, "--seconds", "0.3", "--latents", "9", "--json")
    assert json.loads(ok(done))["codec"] == "neural-basis"
    assert "note: after this training the parallax codec was not better" in done.stderr
