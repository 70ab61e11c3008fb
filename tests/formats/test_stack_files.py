"""Stacks whose bytes are damaged, hostile, or change while the capture is open."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_btf.errors import BTFError, CaptureError
from napari_btf.formats import read

ANGLES = "theta_l,phi_l\n0,0\n30,0\n30,90\n60,10\n"


def npy(folder: Path, header: str, size: int = 120) -> Path:
    """Write a .npy file with this header, and angles of four images."""
    content = header.encode("latin1", "replace").ljust(117) + b"\n"
    path = folder / "a.npy"
    length = len(content).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\1\0" + length + content + bytes(size))
    (folder / "a.csv").write_text(ANGLES)
    return path


def header(descr: str = "'|u1'", shape: str = "(4, 6, 5)", end: str = "}") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, {end}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (header(shape="(4, 99999999999999999999, 5)"), "it is cut off: it has 120 of 19999"),
        (header(shape="(4, 6, 6)"), "it is cut off: it has 120 of 144 bytes"),
        (header(end="("), "damaged or not a .npy array"),
        (header(shape="(4, -6, -5)"), "the shape in its header is not valid"),
        (header(shape="(4, True, True)"), "the shape in its header is not valid"),
        (header(shape="(4, 6, 1.5)"), "damaged or not a .npy array"),
        (header(descr="'|O'"), "does not contain plain numbers"),
        (header(descr="'<U0'"), "does not contain plain numbers"),
        (header(descr="[('a', '|u1')]"), "does not contain plain numbers"),
        (header(shape="(4, 0, 5)"), "it is empty: its shape is 4 x 0 x 5"),
        (header(shape="(4, 6, 5, 0)"), "it is empty"),
        (header(shape="()"), "its shape is"),
        (header(descr="'<i8'", shape="(4, 1, 3)"), "the values are int64"),
        ("(" * 4000, "damaged or not a .npy array"),
    ],
)
def test_headers_that_cannot_be_used(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(CaptureError, match=problem) as caught:
        read(npy(tmp_path, text))
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    np.save(tmp_path / "a.npy", np.array([Hostile()] * 4, dtype=object), allow_pickle=True)
    (tmp_path / "a.csv").write_text(ANGLES)
    with pytest.raises(CaptureError, match="does not contain plain numbers"):
        read(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["npy", "tif"])
def test_a_stack_that_gets_shorter_is_an_error_and_not_the_end(tmp_path: Path, kind: str) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 40, 50, 3), dtype=np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, frames)
    else:
        tifffile.imwrite(path, frames, photometric="rgb")
    (tmp_path / "a.csv").write_text(ANGLES)
    btf = read(path)
    os.truncate(path, 10_000)
    np.testing.assert_array_equal(btf.frame(0), frames[0])
    with pytest.raises(CaptureError, match="it got shorter since it was opened; open it again"):
        btf.frame(3)
    path.unlink()
    with pytest.raises(CaptureError, match=r"it cannot be read \(No such file"):
        btf.frame(0)


def test_a_tiff_stack_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 60, 50), np.uint8), photometric="minisblack")
    path.write_bytes(path.read_bytes()[:3000])
    (tmp_path / "a.csv").write_text(ANGLES)
    with pytest.raises(CaptureError, match=r"it is cut off: it has \d+ of 12000 bytes"):
        read(path)


@pytest.mark.parametrize("grid", [False, True])
def test_arrays_in_fortran_order(tmp_path: Path, grid: bool) -> None:
    frames = np.random.default_rng(0).random((4, 3, 5, 2)).astype(">f4")
    shaped = frames.reshape(2, 2, 3, 5, 2) if grid else frames
    np.save(tmp_path / "a.npy", np.asfortranarray(shaped))
    (tmp_path / "a.csv").write_text(ANGLES)
    btf = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.stack(list(btf.iter_frames())), frames)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_of_a_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("npy")
    path = npy(folder, header())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 90))
        content[place] = data.draw(st.sampled_from(b"\0\xff(){}[]',:-.0159eTFO|<>uif"))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    said = ""
    try:
        assert read(path).frame(3).size > 0
    except BTFError as error:
        said = str(error)
    assert "\n" not in said
