"""The verbs `sample`, `info` and `convert`."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import btf, ok, refused
from napari_btf.formats import read


def renamed(weave: Path, folder: Path) -> Path:
    """The frontal view of a capture, with names of another kind, a bad image and an odd one."""
    folder.mkdir()
    for path in sorted(weave.rglob("*tv000 pv000*")):
        _, tl, pl, *_ = path.stem.split(" ")
        shutil.copy(path, folder / f"lamp{tl[2:]}at{pl[2:]}{path.suffix}")
    (folder / f"lamp050at000{path.suffix}").write_bytes(b"")
    Image.new("RGB", (3, 3)).save(folder / "lamp051at000.png")
    return folder


def test_names_of_any_kind_and_bad_images(weave: Path, tmp_path: Path) -> None:
    folder = renamed(weave, tmp_path / "lamps")
    pattern = r"lamp(?P<tl>\d+)at(?P<pl>\d+)"
    refused(btf("info", folder), "no image name contains", "give a pattern")
    refused(btf("info", folder, "--pattern", "lamp(?P<tl>"), "is not a regular expression")
    refused(btf("info", folder, "--pattern", pattern), "lamp050at000", "is empty")
    done = btf("info", folder, "--pattern", pattern, "--skip-bad", "--json")
    facts = json.loads(ok(done))
    assert (facts["images"], facts["views"], facts["lights"]) == (81, 1, 81)
    assert "2 images were left out" in done.stderr
    assert "lamp051at000.png" in done.stderr


def test_azimuths_of_another_convention(weave: Path, tmp_path: Path) -> None:
    refused(btf("info", weave, "--azimuth", "north"), "'north' is not an azimuth convention")
    store = tmp_path / "turned.zarr"
    done = btf("convert", weave, store, "--azimuth", "cw+90")
    assert "azimuths are taken as cw+90" in done.stderr
    ok(done)
    turned, straight = read(store), read(weave)
    np.testing.assert_allclose(turned.light, straight.light[:, [1, 0, 2]], atol=1e-12)
    np.testing.assert_array_equal(turned.frame(5), straight.frame(5))


def test_the_size_of_texels_goes_into_a_store(weave: Path, tmp_path: Path) -> None:
    refused(btf("info", weave, "--mm-per-texel", "0"), "a texel cannot measure 0.0 mm")
    store = tmp_path / "sized.zarr"
    ok(btf("convert", weave, store, "--mm-per-texel", "0.25"))
    assert json.loads(ok(btf("info", store, "--json")))["mm_per_texel"] == 0.25


def test_the_sample_with_one_view(tmp_path: Path) -> None:
    refused(btf("sample", tmp_path / "a", "--name", "silk"), 'there is no sample "silk"')
    ok(btf("sample", tmp_path / "a", "--name", "weave-lights"))
    facts = read(tmp_path / "a").info()
    assert (facts["views"], facts["lights"], facts["height"]) == (1, 81, 256)


def test_info(weave: Path) -> None:
    facts = json.loads(ok(btf("info", weave, "--json")))
    assert facts == {
        "format": "image folder",
        "images": 567,
        "views": 7,
        "lights": 81,
        "height": 64,
        "width": 64,
        "channels": 3,
        "dtype": "uint8",
        "bytes": 6967296,
        "missing_pairs": 0,
        "duplicate_pairs": 0,
    }
    text = ok(btf("info", weave))
    assert "6,967,296" in text
    assert "missing pairs" in text


def test_a_second_sample_is_welcome_other_files_are_not(weave: Path, tmp_path: Path) -> None:
    ok(btf("sample", weave))
    (tmp_path / "notes.txt").write_text("mine")
    refused(btf("sample", tmp_path), str(tmp_path), "other files")
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_convert(weave: Path, tmp_path: Path) -> None:
    store = tmp_path / "weave.zarr"
    done = btf("convert", weave, store, "--json")
    figures = json.loads(ok(done))
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    assert figures.pop("seconds") > 0
    assert figures == {
        "format": "texel store",
        "images": 567,
        "bytes_store": size,
        "bytes_capture": 6967296,
    }
    assert done.stderr.splitlines() == [
        "writing the texel store ...",
        "checking the texel store ...",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["weave.zarr"]

    facts = json.loads(ok(btf("info", store, "--json")))
    assert facts == json.loads(ok(btf("info", weave, "--json"))) | {"format": "texel store"}
    assert "567 images" in ok(btf("convert", weave, store, "--overwrite"))

    figures = []
    for capture in (weave, store):
        out = tmp_path / "model.safetensors"
        command = ["train", capture, "--out", out, "--latents", 4, "--epochs", 5, "--pixels", 300]
        figures.append(json.loads(ok(btf(*command, "--json"))))
    assert figures[0]["psnr_train"] == figures[1]["psnr_train"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_stopping_a_conversion_keeps_what_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for i in range(20):
        image = Image.new("RGB", (2048, 2048), (i, 2, 3))
        image.save(folder / f"tl{i}_pl0_tv0_pv0.png", compress_level=1)
    store, partial = tmp_path / "store.zarr", tmp_path / ".store.zarr.partial"
    command = [sys.executable, "-m", "napari_btf", "convert", str(folder), str(store)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        # A block is written when its line is in the journal, after the line that heads it.
        while process.poll() is None and not (
            (journal := partial / "conversion.jsonl").exists()
            and len(journal.read_text().splitlines()) > 1
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=300)
    assert process.returncode == 1, stderr
    assert "Traceback" not in stderr
    assert "error: stopped; the same command continues the conversion" in stderr
    assert not store.exists()
    before = {path: path.stat().st_mtime_ns for path in partial.rglob("c/0/*/*/0")}
    assert before

    ok(btf("convert", folder, store))
    assert not partial.exists()
    for path, stamp in before.items():
        assert (store / path.relative_to(partial)).stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(read(store).frame(19), read(folder).frame(19))
