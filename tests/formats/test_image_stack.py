from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_btf.btf import BTF
from napari_btf.directions import vectors_to_angles
from napari_btf.errors import CaptureError
from napari_btf.formats import read, recognises

Make = Callable[..., BTF]
WHOLE = ("theta_l", "phi_l", "theta_v", "phi_v")


def write_angles(path: Path, btf: BTF, header: tuple[str, ...] = WHOLE) -> None:
    columns = [*vectors_to_angles(btf.light), *vectors_to_angles(btf.view)]
    rows = np.stack(columns[: len(header)], axis=1)
    lines = [",".join(header), *(",".join(f"{v:.6f}" for v in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("kind", ["tif", "compressed", "grid", "big-endian", "npy", "npy-grid"])
@pytest.mark.parametrize("channels", [1, 3])
def test_stacks(make_btf: Make, tmp_path: Path, kind: str, channels: int) -> None:
    expected = make_btf(views=3, lights=10, channels=channels)
    frames = np.asarray(expected.frames)
    path = tmp_path / ("cloth.npy" if "npy" in kind else "cloth.tif")
    if "grid" in kind:
        frames = frames.reshape(3, 10, *frames.shape[1:])
    if channels == 1:
        frames = frames[..., 0]
    if "npy" in kind:
        np.save(path, frames)
    else:
        photometric = "minisblack" if channels == 1 else "rgb"
        options = {"compression": "zlib"} if kind == "compressed" else {}
        order = ">" if kind == "big-endian" else "<"
        tifffile.imwrite(path, frames, photometric=photometric, byteorder=order, **options)
    write_angles(tmp_path / "cloth.csv", expected)
    assert recognises(path)
    assert recognises(tmp_path / "cloth.csv")
    for place in (path, tmp_path / "cloth.csv"):
        btf = read(place)
        assert btf.format == "image stack"
        np.testing.assert_allclose(btf.light, expected.light, atol=1e-7)
        np.testing.assert_allclose(btf.view, expected.view, atol=1e-7)
        np.testing.assert_array_equal(np.stack(list(btf.iter_frames())), expected.frames)


def test_sixteen_bits_and_floats(make_btf: Make, tmp_path: Path) -> None:
    source = make_btf(views=1, lights=10)
    for dtype in (np.uint16, np.float32):
        frames = (np.asarray(source.frames) * 3).astype(dtype)
        tifffile.imwrite(tmp_path / "a.tif", frames, photometric="rgb")
        write_angles(tmp_path / "a.csv", source)
        btf = read(tmp_path / "a.tif")
        assert btf.frame(4).dtype == dtype
        np.testing.assert_array_equal(btf.frame(4), frames[4])


def test_without_views(make_btf: Make, tmp_path: Path) -> None:
    source = make_btf(views=1, lights=10)
    np.save(tmp_path / "a.npy", source.frames)
    write_angles(tmp_path / "a.csv", source, ("tl", "pl"))
    btf = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(btf.view, np.tile([0.0, 0.0, 1.0], (10, 1)))
    assert btf.notes == ("a.csv has no views, so they are set to 0, 0",)


def test_a_stack_alone_is_not_claimed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    (tmp_path / "b.csv").write_text("theta_l,phi_l\n0,0\n")
    (tmp_path / "a.csv").write_text("x,y\n0,0\n")
    assert not recognises(tmp_path / "a.tif")
    assert not recognises(tmp_path / "b.csv")
    with pytest.raises(CaptureError, match=r'add "a.csv" with the header theta_l,phi_l'):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("theta_l,phi_l\n0,0\n1,x\n", r"a.csv: line 3 is '1,x', expected angles in degrees"),
        ("theta_l,phi_l\n0,0\n1\n", "line 3 is '1'"),
        ("theta_l,phi_l\n0,0\n100,0\n", "line 3 .*tl is 100 degrees"),
        ("theta_l,phi_l\n0,nan\n", "line 2 .*pl is nan degrees"),
        ("theta_l,phi_l\n", "it has no angles"),
        ("theta_l,phi_l\n0,0\n", "its shape is 3 x 4 x 5, a.csv has 1 lines of angles"),
    ],
)
def test_angles_that_do_not_fit(tmp_path: Path, text: str, problem: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5), np.uint8))
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(CaptureError, match=problem):
        read(tmp_path / "a.npy")


def test_damaged_stacks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("theta_l,phi_l\n0,0\n10,0\n")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(CaptureError, match=r"a\.npy: it is damaged or not a \.npy array"):
        read(tmp_path / "a.npy")
    (tmp_path / "a.npy").unlink()
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((2, 64, 64), np.uint8),
        compression="zlib",
        photometric="minisblack",
    )
    content = bytearray((tmp_path / "a.tif").read_bytes())
    (tmp_path / "a.tif").write_bytes(content[:40])
    with pytest.raises(CaptureError, match=r"a\.tif: "):
        read(tmp_path / "a.tif").frame(1)


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    frames = np.ones((2, 4, 5, 3), np.float32)
    frames[1, 2, 2] = np.nan
    np.save(tmp_path / "a.npy", frames)
    (tmp_path / "a.csv").write_text("theta_l,phi_l\n0,0\n10,0\n")
    btf = read(tmp_path / "a.npy")
    assert btf.frame(0).max() == 1.0
    with pytest.raises(CaptureError, match="its image 1 has values that are not finite"):
        btf.frame(1)
