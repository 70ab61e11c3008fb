"""Files are written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.errors import CoordinatesError, UsageError
from napari_btf.files import write_file, write_files
from napari_btf.progress import finish

on_unix = pytest.mark.skipif(sys.platform == "win32", reason="limits and modes of Unix")

#: The command line where no file may grow beyond 500 bytes: a disk that is full then.
FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
from napari_btf.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def model(make_btf: Callable[..., BTF], tmp_path: Path) -> Path:
    btf = make_btf(lights=20)
    fitted = finish(fit(btf, settings=FitSettings(4, NetworkSettings(epochs=5))))
    return fitted.save(tmp_path / "in" / "model.safetensors")


def on_a_full_disk(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FULL_DISK, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def left_as_it_was(done: subprocess.CompletedProcess[str], out: Path) -> None:
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert f"error: {out}: it cannot be written (" in done.stderr
    assert "choose another place." in done.stderr
    assert done.stdout == ""
    assert out.read_text() == "older"
    assert list(out.parent.iterdir()) == [out]


def older(tmp_path: Path, name: str) -> Path:
    out = tmp_path / "out" / name
    out.parent.mkdir()
    out.write_text("older")
    return out


@on_unix
@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "bmp"])
def test_an_image_on_a_full_disk(model: Path, tmp_path: Path, extension: str) -> None:
    out = older(tmp_path, f"image.{extension}")
    left_as_it_was(on_a_full_disk("relight", model, "--light", "20,30", "--out", out), out)


@on_unix
def test_an_embedding_on_a_full_disk(model: Path, tmp_path: Path) -> None:
    out = older(tmp_path, "points.csv")
    left_as_it_was(on_a_full_disk("embed", model, "--method", "pca", "--out", out), out)


@on_unix
def test_a_model_on_a_full_disk(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    out = older(tmp_path, "model.safetensors")
    capture = write_capture()
    left_as_it_was(on_a_full_disk("train", capture, "--out", out, "--epochs", 2), out)


@on_unix
@pytest.mark.parametrize(
    ("to", "name"),
    [("csv", "latent_map_0.csv"), ("json", "model_0.json"), ("onnx", "decoder_0.onnx")],
)
def test_an_export_on_a_full_disk(model: Path, tmp_path: Path, to: str, name: str) -> None:
    out = older(tmp_path, name)
    options = ("--to", to, "--out", out.parent)
    if to != "onnx":
        options = (*options, "--no-embedding")
    left_as_it_was(on_a_full_disk("export", model, *options), out)


@on_unix
def test_several_trainings_on_a_full_disk(
    write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    out = older(tmp_path, "capture.safetensors")
    capture = write_capture(views=1)
    done = on_a_full_disk("train", capture, "--out-dir", out.parent, "--latents", 2)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert f"{out}: it cannot be written (" in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_text() == "older"
    assert {path.name for path in out.parent.iterdir()} <= {out.name, "summary.csv"}


def test_several_files_are_all_written_or_none(tmp_path: Path) -> None:
    one, two = tmp_path / "new" / "one", tmp_path / "two"
    assert write_files({one: b"1", two: b"2"}) == [one, two]
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    (tmp_path / "file").write_text("mine")
    for wrong, complaint in (
        (tmp_path / "file" / "three", "three: it cannot be written"),
        (tmp_path / "new", "new: it is a folder"),
    ):
        with pytest.raises(UsageError, match=complaint):
            write_files({one: b"3", two: b"4", wrong: b"5"})
        assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new", "two"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_ends_the_writing_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    out = older(tmp_path, "file")

    def fail(handle: int) -> NoReturn:
        raise problem

    monkeypatch.setattr(os, "fsync", fail)
    expected = CoordinatesError if isinstance(problem, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_file(out, b"new", CoordinatesError)
    assert out.read_text() == "older"
    assert list(out.parent.iterdir()) == [out]


@on_unix
def test_links_devices_and_modes(tmp_path: Path) -> None:
    out = older(tmp_path, "file")
    out.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(out)
    assert write_file(link, b"new") == link
    assert link.is_symlink()
    assert out.read_text() == "new"
    assert out.stat().st_mode & 0o777 == 0o640

    write_file(Path(os.devnull), b"new")
    assert Path(os.devnull).is_char_device()

    fresh = write_file(tmp_path / "deep" / "down" / "file", b"")
    reference = tmp_path / "reference"
    reference.touch()
    assert fresh.stat().st_mode == reference.stat().st_mode


@on_unix
def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, complaint in (
        (tmp_path, "it is a folder; give the name of a file"),
        (tmp_path / "loop" / "file", "it cannot be written"),
        (tmp_path / ("x" * 300), "it cannot be written"),
    ):
        with pytest.raises(UsageError, match=complaint):
            write_file(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["loop"]
    longest = tmp_path / ("x" * 255)
    write_file(longest, np.arange(3, dtype=np.uint8).tobytes())
    assert longest.read_bytes() == b"\x00\x01\x02"
