"""The program itself: its help, how it ends, and where it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from own_process import Done, interrupted, program
from PIL import Image

from command_line import btf, ok
from napari_btf.codec import load


def test_help_names_every_verb() -> None:
    out = ok(program("--help"))
    verbs = "sample info convert train relight normals evaluate embed plot export import demo"
    for verb in verbs.split():
        assert verb in out
        assert "Usage" in ok(btf(verb, "--help"))


def test_an_unexpected_error_is_no_success(write_capture: Callable[..., Path]) -> None:
    code = """
import json, sys
def broken(*arguments):
    raise RuntimeError("broken library")
json.dumps = broken
from napari_btf.cli import main
main(sys.argv[1:])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "info", write_capture(), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: unexpected error (RuntimeError: broken library)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
class TestGivingUp:
    def test_a_second_time_ends_a_training(self, frontal: Path, tmp_path: Path) -> None:
        out = tmp_path / "model.safetensors"
        command = ("train", frontal, "--out", out, "--bytes-per-texel", 16, "--seconds", 600)
        code, stdout, stderr = interrupted(*command, at="training", again="stopping")
        assert (code, stdout) == (1, ""), stderr
        assert "error: stopped, nothing was written" in stderr
        assert list(tmp_path.iterdir()) == []

    def test_while_reading_there_is_nothing_to_keep(self, tmp_path: Path) -> None:
        image = tmp_path / "image.png"
        Image.new("RGB", (2048, 2048)).save(image)
        folder = tmp_path / "capture"
        folder.mkdir()
        for i in range(60):
            (folder / f"tl{i}_pl0_tv0_pv0.png").symlink_to(image)
        out = tmp_path / "model.safetensors"
        command = ("train", folder, "--out", out, "--pixels", 100)
        code, stdout, stderr = interrupted(*command, at="reading")
        assert (code, stdout) == (1, ""), stderr
        assert "error: stopped, nothing was written" in stderr
        assert "training" not in stderr
        assert not out.exists()

    def test_an_embedding(self, model: Path, tmp_path: Path) -> None:
        out = tmp_path / "points.csv"
        code, stdout, stderr = interrupted("embed", model, "--out", out, at="placing")
        assert (code, stdout) == (1, ""), stderr
        assert "error: stopped, nothing was written" in stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of Unix")
def test_without_standard_error(
    write_capture: Callable[..., Path], tmp_path: Path, model: Path
) -> None:
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "napari_btf"]

    def run(*arguments: object) -> Done:
        return subprocess.run(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False
        )

    out = tmp_path / "model.safetensors"
    done = run("train", write_capture(), "--out", out, "--latents", 2, "--epochs", 2, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["bytes_model"] == out.stat().st_size
    assert load(out).latent_count == 2
    assert run("info", tmp_path / "nowhere").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device of Linux")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_results_that_cannot_be_printed(
    write_capture: Callable[..., Path], options: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "napari_btf", "info", write_capture(), *options],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: the result cannot be printed (No space left")
    assert len(done.stderr.splitlines()) == 1
