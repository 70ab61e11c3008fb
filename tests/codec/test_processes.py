"""Trainings in several processes under torchrun, and signals that end trainings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_btf.codec import load
from napari_btf.codec.checkpoint import checkpoint_path
from napari_btf.formats import read

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

ALONE = [sys.executable, "-m", "napari_btf", "train"]
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
TOGETHER += ["--master-port", "0", "-m", "napari_btf", "train"]


def started(command: list[str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(command: list[str], *arguments: object) -> str:
    with started(command, *arguments) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out


def until_noted(process: subprocess.Popen[str], model: Path) -> None:
    deadline = time.monotonic() + 60
    while not checkpoint_path(model).exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize(
    "options",
    [
        ["--codec", "parallax", "--latents", "6", "--epochs", "4"],
        ["--codec", "neural-basis", "--latents", "5"],
    ],
)
def test_two_processes_make_the_model_of_one(
    options: list[str], write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture = write_capture(views=3, lights=8)
    done(ALONE, capture, "--out", tmp_path / "one", *options)
    said = done(TOGETHER, capture, "--out", tmp_path / "two", *options)
    assert said.count("PSNR") == 1
    one, two = load(tmp_path / "one"), load(tmp_path / "two")
    assert abs(one.file_size - two.file_size) < 64
    btf = read(capture)
    for i in range(0, len(btf), 5):
        pair = btf.light[i], btf.view[i]
        # A step of the quantised latents.
        assert np.abs(one.decode(*pair) - two.decode(*pair)).max() < 5e-3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_asked_to_end_it_notes_and_goes_on_as_if_nothing_had_happened(
    number: signal.Signals, write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    options = ["--codec", "parallax", "--latents", "6", "--epochs", "200"]
    with started(ALONE, capture, "--out", out, *options) as process:
        until_noted(process, out)
        before = checkpoint_path(out).stat().st_mtime_ns
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert "--resume goes on from there" in err
    assert "Traceback" not in err
    assert not out.exists()
    assert checkpoint_path(out).stat().st_mtime_ns > before
    done(ALONE, capture, "--out", out, *options, "--resume")
    done(ALONE, capture, "--out", tmp_path / "undisturbed", *options)
    assert out.read_bytes() == (tmp_path / "undisturbed").read_bytes()


def test_a_killed_process_ends_the_others(
    write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    options = ["--codec", "parallax", "--latents", "6", "--seconds", "300"]
    with started(TOGETHER, capture, "--out", out, *options) as process:
        until_noted(process, out)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.count("one of the processes that train together has ended") == 1, err
    assert not out.exists()
    assert checkpoint_path(out).exists()


def test_an_unreadable_image_ends_all_with_one_error(
    write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    bad = sorted(capture.iterdir())[5]
    bad.write_bytes(bad.read_bytes()[:-60])
    with started(TOGETHER, capture, "--out", out, "--codec", "neural-basis") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert sum(line.startswith("error: ") for line in err.splitlines()) == 1, err
    assert bad.name in err
    assert sorted(tmp_path.iterdir()) == [capture]
