"""The scripts of examples/slurm, run as SLURM runs them, with stand-ins for its programs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from napari_btf.codec import load
from napari_btf.codec.fitting.checkpoint import checkpoint_path
from programs import PATIENCE, kill, until_noted

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("bash") is None, reason="SLURM is of Linux"
)

SCRIPTS = Path(__file__).parents[2] / "examples" / "slurm"
OPTIONS = ["--codec", "parallax", "--latents", "6", "--epochs", "25"]

Job = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def called(tmp_path: Path) -> Path:
    """What SLURM's programs were called with, a call a line."""
    return tmp_path / "called"


@pytest.fixture
def job(tmp_path: Path, called: Path) -> Iterator[Job]:
    """Start a script as a job; in the end, it and what it started are killed."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("scontrol", "srun", "module"):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{called}"\n')
        program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "BTF_PYTHON": sys.executable,
        "BTF_MODULES": "some/python some/cuda",
        "SLURM_JOB_ID": "17",
        "SLURM_ARRAY_JOB_ID": "17",
        "SLURM_ARRAY_TASK_ID": "2",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_GPUS_ON_NODE": "2",
    }
    running = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["bash", SCRIPTS / script, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        kill(process)


@pytest.mark.parametrize(
    ("script", "number", "code", "requeued"),
    [
        ("train.sh", signal.SIGUSR1, 0, ["scontrol requeue 17"]),
        ("array.sh", signal.SIGUSR1, 0, ["scontrol requeue 17_2"]),
        # Of scancel, after which nobody wants it again.
        ("train.sh", signal.SIGTERM, 75, []),
        ("several_gpus.sh", signal.SIGUSR1, 0, ["scontrol requeue 17"]),
    ],
)
def test_a_job_whose_time_is_over_is_requeued_and_goes_on(
    script: str,
    number: signal.Signals,
    code: int,
    requeued: list[str],
    write_capture: Callable[..., Path],
    tmp_path: Path,
    job: Job,
    called: Path,
) -> None:
    capture, model = write_capture(views=3, lights=8), tmp_path / "models" / "capture.safetensors"
    arguments: list[object] = [capture, model, *OPTIONS]
    if script == "array.sh":
        (tmp_path / "captures.txt").write_text(f"elsewhere\n{capture}\n")
        arguments[:2] = [tmp_path / "captures.txt", tmp_path / "models"]
    process = job(script, *arguments)
    until_noted(process, model)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert err.count("the same command with --resume continues the training") == 1, err
    assert called.read_text().splitlines() == ["module load some/python some/cuda", *requeued]
    assert not model.exists()
    # The others go on in the same way, by the same program.
    if script != "train.sh" or not requeued:
        return

    again = job(script, *arguments)
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, err
    assert out.count("PSNR") == 1
    assert "a new one starts" not in err
    assert called.read_text().count("scontrol") == len(requeued)
    assert load(model).latent_count > 0
    assert not checkpoint_path(model).exists()


@pytest.mark.parametrize("script", ["train.sh", "several_gpus.sh"])
def test_a_job_that_fails_is_not_requeued(
    script: str, tmp_path: Path, job: Job, called: Path
) -> None:
    process = job(script, tmp_path / "nothing", tmp_path / "model.safetensors")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert sum(line.startswith("error: ") for line in err.splitlines()) == 1, err
    assert "scontrol" not in called.read_text()


def test_a_task_beyond_the_list_says_so(tmp_path: Path, job: Job) -> None:
    (tmp_path / "captures.txt").write_text("one\n")
    process = job("array.sh", tmp_path / "captures.txt", tmp_path / "models")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "not in the list" in err
