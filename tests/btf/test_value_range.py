"""Captures that use a small part of the range of their values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from command_line import btf as command
from command_line import ok
from napari_btf.btf import BTF
from napari_btf.btf.value_range import range_note
from napari_btf.directions import angles_to_vectors
from napari_btf.evaluate import evaluate, psnr_over
from napari_btf.export.images import write_image
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.scripting import train
from napari_btf.values import ValueScale

THETA, PHI = (
    np.array([0, *[40] * 6, *[65] * 8]),
    np.array([0, *range(0, 360, 60), *range(0, 360, 45)]),
)


def surface(most: float, dtype: type) -> BTF:
    """Bumps of some colours under 15 lights, with values up to about ``most``."""
    y, x = np.mgrid[:24, :32]
    normals = np.dstack([0.4 * np.sin(x / 3), 0.4 * np.cos(y / 4), np.ones(x.shape)])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    light = angles_to_vectors(THETA.astype(float), PHI.astype(float))
    shading = np.clip(np.einsum("yxk,nk->nyx", normals, light), 0, 1)[..., None]
    frames = most * shading * np.array([0.9, 0.6, 0.3])
    view = np.tile([0.0, 0.0, 1.0], (len(light), 1))
    return BTF(frames.astype(dtype), light, view)


@pytest.mark.parametrize(
    ("most", "dtype", "said"),
    [
        (1100, np.uint16, "they use 10 of 16 bits, 1/64 of the range"),
        (4400, np.uint16, "they use 12 of 16 bits, 1/16 of the range"),
        (65000, np.uint16, ""),
        (30000, np.uint16, ""),
        (30, np.uint8, ""),
        (0.17, np.float32, "where 1 is shown as white"),
        (3.0, np.float16, ""),
    ],
)
def test_what_is_said_of_the_range(most: float, dtype: type, said: str) -> None:
    note = range_note(surface(most, dtype))
    assert said in note
    assert bool(note) == bool(said)


def test_the_peak_is_what_is_in_use() -> None:
    deep, plain, radiance = (ValueScale(np.dtype(kind)) for kind in ("u2", "u1", "f4"))
    assert [deep.peak(x) for x in (0.0, 0.06, 0.25, 0.26, 1.0)] == [1.0, 0.06, 0.25, 1.0, 1.0]
    assert [plain.peak(x) for x in (0.0, 0.06, 1.0)] == [1.0, 1.0, 1.0]
    assert [radiance.peak(x) for x in (0.0, 0.06, 3.0)] == [1.0, 0.06, 3.0]


def test_a_target_counts_over_the_range_in_use() -> None:
    full, few = surface(65535, np.uint16), surface(65535, np.uint16)
    few = BTF((full.frames[:] // 16).astype(np.uint16), full.light, full.view)
    for capture, most in ((full, full.frames[:].max()), (few, few.frames[:].max())):
        model = train(capture, target_psnr=38, progress=False)
        errors = [
            (model.decode(light, view) * 65535 - frame) ** 2
            for light, view, frame in zip(capture.light, capture.view, capture.frames, strict=True)
        ]
        peak = 65535.0 if capture is full else float(most)
        reached = 10 * np.log10(peak**2 / np.mean(errors))
        assert reached >= 38
        assert finish(psnr_over(model, capture)) == pytest.approx(reached, abs=0.01)
        totals = finish(evaluate(model, capture, baselines=False)).scores.totals()
        assert totals["psnr"] == pytest.approx(reached, abs=0.01)


def test_the_command_line_says_it_once(tmp_path: Path) -> None:
    few = surface(4400, np.uint16)
    for i, (theta, phi) in enumerate(zip(THETA, PHI, strict=True)):
        write_image(tmp_path / f"tl{theta}_pl{phi}_tv0_pv0.tif", few.frame(i))
    done = command("info", tmp_path, "--json")
    assert json.loads(ok(done))["images"] == 15
    assert done.stderr.count("12 of 16 bits") == 1
    done = command("train", tmp_path, "--out", tmp_path / "m.safetensors", "--epochs", 5)
    ok(done)
    assert done.stderr.count("12 of 16 bits") == 1


def test_a_damaged_image_is_no_error_of_info(tmp_path: Path) -> None:
    for theta in (0, 30):
        tifffile.imwrite(
            tmp_path / f"tl{theta}_pl0_tv0_pv0.tif",
            np.full((8, 8, 3), 99, np.uint16),
            compression="zlib",
        )
    path = tmp_path / "tl0_pl0_tv0_pv0.tif"
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 4] = b"\xff" * 4
    path.write_bytes(content)
    assert "7 of 16 bits" in range_note(read(tmp_path))
