"""`train` on several captures."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_btf
from command_line import Run
from napari_btf.cli import batch
from napari_btf.training import train


@pytest.fixture
def captures(write_capture: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder of three captures, one of which is damaged, and what is none."""
    (tmp_path / "captures").mkdir()
    first = write_capture(views=1, lights=12, name="captures/a")
    folder = first.parent
    for name in ("b", "c"):
        shutil.copytree(first, folder / name)
    image = sorted((folder / "b").iterdir())[5]
    image.write_bytes(image.read_bytes()[:100])
    (folder / "README.txt").write_text("mine")
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_that_fails_does_not_stop_the_others(run: Run, captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "models"
    done = run("train", captures / "*", "--out-dir", out, "--latents", 4)
    assert done.code == 2
    assert [line.split(":")[0] for line in done.out.splitlines()] == [
        f"{out / 'a.safetensors'}",
        f"{out / 'c.safetensors'}",
    ]
    assert "skipped, since they are no captures: README.txt" in done.err
    *_, failed, last = done.err.splitlines()
    assert failed.startswith(f"failed: {captures / 'b'}: ")
    assert "incomplete" in failed
    assert last == f"error: 1 of 3 captures failed, see {out / 'summary.csv'}"
    assert sorted(path.name for path in out.iterdir()) == [
        "a.safetensors",
        "c.safetensors",
        "summary.csv",
    ]
    found = rows(out)
    assert list(found[0]) == list(batch.COLUMNS)
    assert [row["status"] for row in found] == ["trained", "failed", "trained"]
    assert "incomplete" in found[1]["error"]
    for row in found[::2]:
        assert float(row["psnr_train"]) > 20
        assert int(row["bytes_model"]) == (out / row["model"]).stat().st_size
        assert napari_btf.load(out / row["model"]).latent_count == int(row["latents"]) == 4

    # Mended, the others are left as they are.
    before = {name: (out / name).stat().st_mtime_ns for name in ("a.safetensors", "c.safetensors")}
    shutil.rmtree(captures / "b")
    shutil.copytree(captures / "a", captures / "b")
    options = ("--latents", 4, "--resume", "--json")
    done = run("train", captures / "*", "--out-dir", out, *options)
    assert done.code == 0, done.err
    summary = json.loads(done.out)["captures"]
    assert [row["status"] for row in summary] == ["kept", "trained", "kept"]
    assert rows(out)[0]["psnr_train"] == found[0]["psnr_train"]
    for name, stamp in before.items():
        assert (out / name).stat().st_mtime_ns == stamp
    (tmp_path / "elsewhere").mkdir()
    alone = tmp_path / "elsewhere" / "a.safetensors"
    assert run("train", captures / "a", "--out", alone, "--latents", 4).code == 0
    assert alone.read_bytes() == (out / "a.safetensors").read_bytes()


def test_reports_as_json(run: Run, captures: Path, tmp_path: Path) -> None:
    command = ("train", captures / "a", captures / "b", "--out-dir", tmp_path / "m")
    done = run(*command, "--latents", 3, "--log-json")
    assert done.code == 2
    found = [json.loads(line) for line in done.err.splitlines()]
    assert [row["error"] for row in found if "error" in row] == [
        f"1 of 2 captures failed, see {tmp_path / 'm' / 'summary.csv'}"
    ]
    notes = [row["note"] for row in found if "note" in row]
    assert notes[0] == f"1 of 2: {captures / 'a'}"
    phases = [row for row in found if "phase" in row]
    assert {"read", "encode", "evaluate"} <= {row["phase"] for row in phases}
    assert all(
        set(row) == {"phase", "step", "total", "seconds", "train_error", "validation_error"}
        for row in phases
    )
    assert all(0 <= row["step"] <= row["total"] for row in phases)
    # Not for the next one.
    assert run("info", tmp_path / "nowhere").err.startswith("error: ")


def test_what_is_refused_before_any_work(run: Run, captures: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "a"
    shutil.copytree(captures / "a", other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "summary.csv").write_text("my,own\n1,2\n")
    a, out = captures / "a", ("--out-dir", tmp_path / "models")
    model = tmp_path / "model.safetensors"
    for arguments, words in (
        ((a,), "one of --out and --out-dir is needed"),
        ((a, *out, "--out", model), "one of --out and --out-dir"),
        ((a, captures / "c", "--out", model), "--out takes one capture, not 2; give --out-dir"),
        ((captures / "z*", *out), "z*: it matches no capture; check the pattern"),
        ((a, other, *out), "its model would have the same name as that of"),
        ((a, "--out-dir", tmp_path / "full"), "summary.csv: it is not a summary of trainings"),
        ((a, "--out-dir", model / "x", "--seed", -1), "the seed is -1"),
    ):
        done = run("train", *arguments)
        assert (done.code, done.out) == (2, ""), arguments
        assert words in done.err
        assert len(done.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captures", "full", "other"]
    assert (tmp_path / "full" / "summary.csv").read_text() == "my,own\n1,2\n"


def test_patterns(tmp_path: Path) -> None:
    stack = np.zeros((3, 4, 5), dtype=np.uint8)
    np.save(tmp_path / "stack.npy", stack)
    (tmp_path / "stack.csv").write_text("theta_l,phi_l\n0,0\n10,0\n20,0\n")
    folder = tmp_path / "one [x]"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(folder / "tl0 pl0 tv0 pv0.png")
    found = batch.find_captures([tmp_path / "*", tmp_path / "stack.npy", folder])
    # The table is the same capture as the stack, and a name with brackets is a name.
    assert found == [folder, tmp_path / "stack.npy"]
    assert batch.find_captures([tmp_path / "stack.csv"]) == [tmp_path / "stack.csv"]


def test_ctrl_c_keeps_this_one_and_leaves_the_rest(
    run: Run, captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(*arguments: object, **options: object):  # type: ignore[no-untyped-def]
        job, asked = train(*arguments, **options), False  # type: ignore[arg-type]
        while True:
            try:
                progress = next(job)
            except StopIteration as stop:
                return stop.value
            yield progress
            if progress.phase == "train" and not asked:
                asked = True
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("napari_btf.training.train", watched)
    out = tmp_path / "models"
    options = ("--codec", "parallax", "--latents", 6, "--seconds", 3600)
    done = run("train", captures / "a", captures / "c", "--out-dir", out, *options)
    assert done.code == 1
    assert "keeping the best so far" in done.err
    assert "error: stopped; 1 capture is left, and the same command with --resume" in done.err
    assert [row["status"] for row in rows(out)] == ["stopped early"]
    assert napari_btf.load(out / "a.safetensors").relight((20, 30)).shape == (12, 16, 3)
