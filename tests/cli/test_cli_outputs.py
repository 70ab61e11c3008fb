"""Talk never ends work, and where results go is proved before it."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
import pytest
from PIL import Image

from command_line import btf, ok, refused
from napari_btf.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, bytes as names")


def capture(folder: Path) -> Path:
    """Write seven small images."""
    folder.mkdir()
    base = np.random.default_rng(0).random((8, 8, 3))
    for theta, phi in ((0, 0), (30, 0), (30, 120), (30, 240), (60, 60), (60, 180), (60, 300)):
        pixels = (255 * base * np.cos(np.radians(theta))).astype("u1")
        Image.fromarray(pixels).save(folder / f"tl{theta}_pl{phi}_tv0_pv0.png")
    return folder


@pytest.fixture(scope="module")
def surface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return capture(tmp_path_factory.mktemp("surface") / "capture")


@pytest.fixture(scope="module")
def model(surface: Path) -> Path:
    path = surface.parent / "model.safetensors"
    ok(btf("train", surface, "--out", path, "--latents", "2"))
    return path


class Broken(io.StringIO):
    """A stream whose reader went away, or whose disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        if text:
            raise self.error
        return 0


FULL, GONE = OSError(28, "No space left on device"), BrokenPipeError(32, "Broken pipe")


def code_of(arguments: list[object], out: TextIO, err: TextIO) -> object:
    """The exit code of a command with these streams."""
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


@pytest.mark.parametrize("error", [FULL, GONE])
def test_a_training_ends_well_where_progress_cannot_be_written(
    surface: Path, tmp_path: Path, error: OSError
) -> None:
    model, out = tmp_path / "m.safetensors", io.StringIO()
    arguments = ["train", surface, "--out", model, "--latents", 2]
    assert code_of(arguments, out, Broken(error)) == 0
    assert model.exists()
    assert "PSNR" in out.getvalue()


@pytest.mark.parametrize(("error", "code"), [(FULL, 2), (GONE, 1)])
def test_a_result_that_cannot_be_printed_is_written_all_the_same(
    surface: Path, tmp_path: Path, error: OSError, code: int
) -> None:
    models, err = tmp_path / "models", io.StringIO()
    second = capture(tmp_path / "second")
    arguments = ["train", surface, second, "--out-dir", models, "--latents", 2]
    assert code_of(arguments, Broken(error), err) == code
    assert len(list(models.glob("*.safetensors"))) == 2
    assert (models / "summary.csv").read_text().count(",trained,") == 2
    assert ("cannot be printed" in err.getvalue()) == (code == 2)


def test_a_stream_without_a_character_shows_its_escape(surface: Path, tmp_path: Path) -> None:
    model, raw = tmp_path / "表面.safetensors", io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="cp1252")
    assert code_of(["train", surface, "--out", model, "--latents", 2], out, io.StringIO()) == 0
    assert b"\\u8868\\u9762.safetensors: PSNR" in raw.getvalue()


def verbs(place: Path, surface: Path, model: Path) -> Iterator[list[object]]:
    """All commands that write, each told to write to a place."""
    yield ["train", surface, "--out", place, "--latents", 2]
    yield ["train", surface, "--out-dir", place / "models", "--latents", 2]
    yield ["convert", surface, place]
    yield ["embed", model, "--out", place]
    yield ["export", model, "--to", "json", "--out", place, "--no-embedding"]
    yield ["relight", model, "--light", "10,0", "--out", place.with_name(f"{place.name}.png")]
    yield ["relight", model, "--path", "circle:20", "--out", place.with_name(f"{place.name}.gif")]
    yield ["normals", model, "--out", place.with_name(f"{place.name}.png")]
    yield ["evaluate", model, surface, "--per-direction", place]
    yield ["evaluate", model, surface, "--error-image", place.with_name(f"{place.name}.png")]
    yield ["demo", "--out", place]
    yield ["sample", place]


@on_linux
def test_a_place_is_proved_before_the_work(surface: Path, model: Path, tmp_path: Path) -> None:
    file, gone = tmp_path / "file", tmp_path / "gone"
    file.write_bytes(b"older")
    gone.symlink_to(tmp_path / "not" / "mounted")
    before = sorted(tmp_path.rglob("*"))
    for place in (file / "deep", gone / "deep", tmp_path / "deep" / ("n" * 300), Path("/proc/x/y")):
        for arguments in verbs(place, surface, model):
            done = btf(*arguments)
            refused(done)
            assert " ..." not in done.stderr, (arguments, done.stderr)
            assert len(done.stderr) < 320
    refused(btf("train", surface, "--out", gone, "--latents", "2"), "link")
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_bytes() == b"older"


@on_linux
def test_a_batch_with_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    odd, plain = capture(tmp_path / os.fsdecode(b"caf\xe9")), capture(tmp_path / "plain")
    broken = tmp_path / os.fsdecode(b"\xff\x1b[2J")
    broken.mkdir()
    models = tmp_path / "models"
    arguments = ["train", odd, broken, plain, "--out-dir", models, "--latents", "2", "--json"]
    done = btf(*arguments)
    assert done.returncode == 2
    rows = json.loads(done.stdout)["captures"]
    assert [row["status"] for row in rows] == ["trained", "failed", "trained"]
    assert "\x1b" not in done.stderr
    table = (models / "summary.csv").read_text(encoding="utf-8")
    assert "caf\\udce9.safetensors,trained" in table
    assert "\\udcff\\x1b[2J" in table
    assert sorted(map(os.fsencode, os.listdir(models)))[0] == b"caf\xe9.safetensors"  # noqa: PTH208
    again = btf(*arguments, "--resume")
    assert [row["status"] for row in json.loads(again.stdout)["captures"]][::2] == ["kept", "kept"]
