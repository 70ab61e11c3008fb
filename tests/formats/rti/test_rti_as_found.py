"""Files of lights that name other files, or not quite the files that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lp_files import LIGHTS
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.errors import BTFError, CaptureError
from napari_btf.formats import read

ON_DISK = ("a.png", "b.png", "c.png", "d.png", "e.png")
VECTORS = [" ".join(map(str, light)) for light in LIGHTS]


def write(folder: Path, lines: Sequence[str], on_disk: Sequence[str] = ON_DISK) -> Path:
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(on_disk):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 5), i + 1).save(folder / name)
    (folder / "dirs.lp").write_text("\n".join([str(len(LIGHTS)), *lines]) + "\n")
    return folder


def values(btf: BTF) -> list[int]:
    return [int(btf.frame(i)[0, 0, 0]) for i in range(len(btf))]


@pytest.mark.parametrize(
    "name", ["{}.NEF", "{}.tif", "{}", "D:\\raw\\{}.CR2", "RAW/{}.dng", "{}.JPG"]
)
@pytest.mark.parametrize("inside", ["", "developed/"])
def test_images_of_another_extension(tmp_path: Path, name: str, inside: str) -> None:
    lines = [f"{name.format(x)} {v}" for x, v in zip("abcde", VECTORS, strict=True)]
    btf = read(write(tmp_path / "x", lines, [inside + image for image in ON_DISK]))
    assert values(btf) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(btf.light, LIGHTS)
    assert any("have other extensions than their names in dirs.lp" in note for note in btf.notes)


def test_digits_behind_a_dot_belong_to_the_name(tmp_path: Path) -> None:
    lines = [f"scan.{i} {v}" for i, v in enumerate(VECTORS)]
    btf = read(write(tmp_path / "x", lines, [f"scan.{i}.png" for i in range(5)]))
    assert values(btf) == [1, 2, 3, 4, 5]


def test_two_files_of_one_stem_are_not_chosen_from(tmp_path: Path) -> None:
    lines = [f"{x}.NEF {v}" for x, v in zip("abcde", VECTORS, strict=True)]
    folder = write(tmp_path / "x", lines, [*ON_DISK, "a.jpg"])
    with pytest.raises(CaptureError, match=r'1 cannot be found .*"a\.NEF"'):
        read(folder)


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("{i} {name} {vector}", "an index before each name"),
        ("{i};{name};{semi}", "an index before each name"),
        ("{name} {vector} 0.75", "1 numbers behind each vector"),
        ("{name} {vector} 1 0.9 0.8", "3 numbers behind each vector"),
        ("{i}\t{name}\t{vector}\t255", "an index before each name, 1 numbers behind each vector"),
    ],
)
def test_more_on_each_line(tmp_path: Path, form: str, note: str) -> None:
    lines = [
        form.format(i=i + 1, name=name, vector=vector, semi=vector.replace(" ", ";"))
        for i, (name, vector) in enumerate(zip(ON_DISK, VECTORS, strict=True))
    ]
    btf = read(write(tmp_path / "x", lines))
    assert values(btf) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(btf.light, LIGHTS)
    assert note in "\n".join(btf.notes)


def test_names_that_begin_with_numbers_are_names(tmp_path: Path) -> None:
    names = [f"{i} x.png" for i in range(5)]
    btf = read(
        write(tmp_path / "x", [f"{n} {v}" for n, v in zip(names, VECTORS, strict=True)], names)
    )
    assert btf.notes == ()


def test_lines_beyond_the_count_whose_images_are_missing(tmp_path: Path) -> None:
    lines = [
        f"{name} {v}" for name, v in zip((*ON_DISK, "f.png"), (*VECTORS, "0 0 1"), strict=True)
    ]
    btf = read(write(tmp_path / "x", lines))
    assert values(btf) == [1, 2, 3, 4, 5]
    assert "says 5 images, but it names 6, and only the first of them" in "\n".join(btf.notes)


LINES = [f"{name} {vector}" for name, vector in zip(ON_DISK, VECTORS, strict=True)]


@pytest.mark.parametrize(
    ("lines", "problem", "kept"),
    [
        ([*LINES[:4], "e.png 1 0 -0.04"], "lies behind the surface", [1, 2, 3, 4]),
        ([*LINES[:4], "f.png 0 0 1"], "1 cannot be found", [1, 2, 3, 4]),
        ([*LINES[:4], "e.png 0 0 0"], "has the vector 0 0 0", [1, 2, 3, 4]),
        ([*LINES[:4], "e.png 0 nan 1"], "expected three finite numbers", [1, 2, 3, 4]),
        ([LINES[0], "b.png ? ? ?", *LINES[2:]], "line 3 is", [1, 3, 4, 5]),
        (LINES[:4], "says 5 images, but only 4 lines follow", [1, 2, 3, 4]),
        ([*LINES[:4], LINES[3]], "both name the image", [1, 2, 3, 4]),
    ],
)
def test_skip_bad_is_the_remedy_and_works(
    tmp_path: Path, lines: list[str], problem: str, kept: list[int]
) -> None:
    folder = write(tmp_path / "x", lines)
    with pytest.raises(CaptureError, match=rf"{problem}.*--skip-bad\.$") as caught:
        read(folder)
    assert len(str(caught.value)) < 300 + len(str(folder))
    btf = read(folder, skip_bad=True)
    assert values(btf) == kept
    assert problem in "\n".join(btf.notes)


def test_skip_bad_does_not_leave_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path / "x", [f"{name} 0 0 -1" for name in ON_DISK])
    with pytest.raises(CaptureError, match=r"line 2 \(and of 4 more\) lies behind the surface"):
        read(folder, skip_bad=True)


WORDS = st.sampled_from(
    [
        "a.png",
        "b.png",
        "c",
        "0",
        "1",
        "-1",
        "0,5",
        "1e9",
        "nan",
        ";",
        ",",
        "\t",
        " ",
        "\n",
        '"',
        "\0",
    ]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(WORDS, max_size=40), st.booleans())
def test_any_file_of_lights_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], skip_bad: bool
) -> None:
    folder = write(tmp_path_factory.mktemp("lp"), [" ".join(words)], ON_DISK[:3])
    said = ""
    try:
        assert len(read(folder, skip_bad=skip_bad)) >= 1
    except BTFError as error:
        said = str(error)
    assert "\n" not in said
