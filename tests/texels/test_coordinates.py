from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_btf.errors import CoordinatesError
from napari_btf.texels.coordinates import (
    clean_name,
    read_coordinates,
    read_regions,
    write_coordinates,
)
from napari_btf.texels.sampling import masked_texels

if TYPE_CHECKING:
    from pathlib import Path

masks = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)
names = st.text(min_size=1).map(clean_name).filter(bool)


@given(masks)
def test_csv_brings_the_texels_back(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray
) -> None:
    coords = masked_texels(mask)
    path = tmp_path_factory.mktemp("csv") / "texels.csv"
    write_coordinates(path, coords)
    if len(coords):
        np.testing.assert_array_equal(read_coordinates(path, *mask.shape), coords)
    else:
        with pytest.raises(CoordinatesError, match="no coordinates"):
            read_coordinates(path, *mask.shape)


def test_x_is_the_column(tmp_path: Path) -> None:
    path = tmp_path / "texels.csv"
    path.write_text("x,y\n3,1\n\n3,1\n0,2\n")
    assert read_coordinates(path, 4, 5).tolist() == [[1, 3], [2, 0]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1,2\n3,4\n", r"line 1 is '1,2', expected the header x,y"),
        ("", r"line 1 is '', expected the header x,y"),
        ("x,y\n1,2\n1.5,2\n", r"line 3 is '1.5,2', expected two integers"),
        ("x,y\n1_0,2\n", r"line 2 is '1_0,2', expected two integers"),
        ("x,y\n٣,2\n", r"line 2 is '٣,2', expected two integers"),
        ("x,y\n" + "9" * 5000 + ",2\n", r"line 2 is '9+...', expected two integers"),
        ("x,y,region\n0,0,a\n1.0,0,a\n", r"line 3 is '1.0,0,a', expected two integers"),
        ("x,y,region\n0,0,a\n5,0,a\n", r"line 3: x=5, y=0 lies outside the 5 x 4 image"),
        ("x,y\n1,two\n", r"line 2 is '1,two', expected two integers"),
        ("x,y\n7\n", r"line 2 is '7', expected two integers"),
        ("x,y\n0,0\n5,0\n", r"line 3: x=5, y=0 lies outside the 5 x 4 image"),
        ("x,y\n0,-1\n", r"line 2: x=0, y=-1 lies outside the 5 x 4 image"),
        ("x,y\n", "it has no coordinates"),
    ],
)
def test_wrong_files_name_the_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "texels.csv"
    path.write_text(text)
    for read in (read_coordinates, read_regions):
        with pytest.raises(CoordinatesError, match=complaint) as caught:
            read(path, height=4, width=5)
        assert str(caught.value).startswith(str(path))


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CoordinatesError, match="no such file"):
        read_coordinates(tmp_path / "none.csv", 4, 4)
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(CoordinatesError, match="cannot be read as text"):
        read_coordinates(tmp_path / "image.csv", 4, 4)
    with pytest.raises(CoordinatesError, match="cannot be written"):
        write_coordinates(tmp_path / "image.csv" / "texels.csv", [[0, 0]])


@given(masks.filter(np.any), st.lists(names, min_size=3, max_size=3, unique=True))
def test_csv_brings_the_regions_back(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, names: list[str]
) -> None:
    coords = masked_texels(mask)
    of = [names[label - 1] for label in mask[tuple(coords.T)]]
    path = tmp_path_factory.mktemp("csv") / "texels.csv"
    write_coordinates(path, coords, of)
    found = read_regions(path, *mask.shape)
    np.testing.assert_array_equal(found.coords, coords)
    assert [found.names[i] for i in found.region_of] == of
    np.testing.assert_array_equal(read_coordinates(path, *mask.shape), coords)


@given(st.text())
def test_a_clean_name_stays_as_it_is_on_one_line(text: str) -> None:
    name = clean_name(text)
    assert clean_name(name) == name
    assert len(name.splitlines()) <= 1


def test_names_with_commas_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "texels.csv"
    write_coordinates(path, [[1, 2], [3, 4]], ['a "b", c', "two\nlines \x00"])
    assert path.read_text() == 'x,y,region\n2,1,"a ""b"", c"\n4,3,two lines\n'
    assert read_regions(path, 9, 9).names == ('a "b", c', "two lines")


def test_without_the_column_there_are_no_regions(tmp_path: Path) -> None:
    path = tmp_path / "texels.csv"
    path.write_text("x,y,kind\n3,1,a\n3,1,b\n")
    found = read_regions(path, 9, 9)
    assert (found.coords.tolist(), found.region_of.tolist(), found.names) == ([[1, 3]], [0], ())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x,y,region\n0,0,a\n1,0,\n", "line 3 has no region"),
        ("x,y,region\n0,0,a\n1,0\n", "line 3 has no region"),
        ("x,y,region\n0,0,a\n0,0,b\n", "line 3: x=0, y=0 already belongs to another region"),
    ],
)
def test_every_texel_is_in_one_region(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "texels.csv"
    path.write_text(text)
    with pytest.raises(CoordinatesError, match=complaint):
        read_regions(path, height=4, width=5)
    # What does not look at regions takes it.
    assert len(read_coordinates(path, 4, 5)) in (1, 2)
