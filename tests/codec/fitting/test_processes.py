"""Trainings in several processes under torchrun, and signals that end trainings."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_btf.cli import main
from napari_btf.codec import CompressedBTF, load
from napari_btf.codec.fitting.checkpoint import checkpoint_path
from napari_btf.formats import read
from programs import PATIENCE, descendants, kill, until_noted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

ALONE = [sys.executable, "-m", "napari_btf", "train"]
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr"]
TOGETHER += ["127.0.0.1", "--nproc-per-node", "2", "-m", "napari_btf", "train"]
PARALLAX = ["--codec", "parallax", "--latents", "6"]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program; in the end, it and what it started are killed."""
    running = []

    def run(command: list[str], *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        kill(process)


def trained(capture: Path, out: Path, *options: object) -> CompressedBTF:
    """A model that this process trains by the command line."""
    with pytest.raises(SystemExit) as end:
        main(["train", str(capture), "--out", str(out), *map(str, options)])
    assert end.value.code == 0
    return load(out)


@pytest.mark.parametrize(
    "options",
    [[*PARALLAX, "--epochs", "4"], ["--codec", "neural-basis", "--latents", "5"]],
    ids=["parallax", "neural-basis"],
)
def test_two_processes_make_the_model_of_one(
    options: list[str], write_capture: Callable[..., Path], tmp_path: Path, start: Start
) -> None:
    """Up to float noise, of which the quantised latents make a step here and there."""
    capture = write_capture(views=3, lights=8)
    process = start(TOGETHER, capture, "--out", tmp_path / "two", *options)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert out.count("PSNR") == 1
    one, two = trained(capture, tmp_path / "one", *options), load(tmp_path / "two")
    assert abs(one.file_size - two.file_size) < 64
    btf = read(capture)
    for i in range(0, len(btf), 5):
        pair = btf.light[i], btf.view[i]
        # Not by chance: two surfaces of this capture differ by more than 0.1.
        assert np.abs(one.decode(*pair) - two.decode(*pair)).max() < 5e-3


def test_a_killed_process_ends_the_others(
    write_capture: Callable[..., Path], tmp_path: Path, start: Start
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    process = start(TOGETHER, capture, "--out", out, *PARALLAX, "--seconds", 300)
    until_noted(process, out)
    ranks = [other for other in descendants(process) if "napari_btf" in other.cmdline()]
    assert len(ranks) == 2
    max(ranks, key=lambda other: int(other.environ()["RANK"])).kill()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    # torchrun may end the other one before that finds out, and then says so itself.
    told = err.count("one of the processes that train together has ended")
    assert told == 1 or (told == 0 and "closing signal SIGTERM" in err), err
    assert not out.exists()
    assert checkpoint_path(out).exists()


def test_an_unreadable_image_ends_all_with_one_error(
    write_capture: Callable[..., Path], tmp_path: Path, start: Start
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    # Of the second process.
    bad = sorted(capture.iterdir())[5]
    bad.write_bytes(bad.read_bytes()[:-60])
    process = start(TOGETHER, capture, "--out", out, "--codec", "neural-basis")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert sum(line.startswith("error: ") for line in err.splitlines()) == 1, err
    assert bad.name in err
    assert sorted(tmp_path.iterdir()) == [capture]


def test_texel_networks_are_trained_by_one_process(
    write_capture: Callable[..., Path], tmp_path: Path, start: Start
) -> None:
    capture = write_capture(views=1, lights=6)
    process = start(TOGETHER, capture, "--out", tmp_path / "model", "--codec", "mlp")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert err.count("the mlp codec is trained by one process; start it without torchrun") == 1
    assert sorted(tmp_path.iterdir()) == [capture]


def test_asked_to_end_it_notes_and_goes_on_as_if_nothing_had_happened(
    write_capture: Callable[..., Path], tmp_path: Path, start: Start
) -> None:
    """To the byte, so the quality is the same, too."""
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    options = [*PARALLAX, "--epochs", 20]
    process = start(ALONE, capture, "--out", out, *options)
    until_noted(process, out)
    before = checkpoint_path(out).stat().st_mtime_ns
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, err
    assert "--resume continues the training" in err
    assert "Traceback" not in err
    assert not out.exists()
    assert checkpoint_path(out).stat().st_mtime_ns > before
    trained(capture, out, *options, "--resume")
    assert not checkpoint_path(out).exists()
    trained(capture, tmp_path / "undisturbed", *options)
    assert out.read_bytes() == (tmp_path / "undisturbed").read_bytes()


def test_asked_to_end_before_the_training_no_resume_is_promised(
    write_capture: Callable[..., Path], tmp_path: Path, start: Start
) -> None:
    capture, out = write_capture(views=3, lights=8), tmp_path / "model"
    process = start(ALONE, capture, "--out", out, *PARALLAX)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("reading images")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, err
    assert err.count("stopped by a signal before the first checkpoint") == 1, err
    assert "--resume" not in err
    assert sorted(tmp_path.iterdir()) == [capture]
