"""CSV files of embeddings."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_btf.embedding import read_embedding, write_embedding
from napari_btf.errors import CoordinatesError
from napari_btf.texels.coordinates import clean_name

HEADER = "tsne_x,tsne_y,image_x,image_y"

places = st.floats(allow_nan=False, allow_infinity=False)
texels = st.lists(
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)), min_size=1, max_size=20, unique=True
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), coords=texels)
def test_what_is_written_is_read(data: st.DataObject, coords: list, tmp_path: Path) -> None:
    count = len(coords)
    pairs = st.lists(st.tuples(places, places), min_size=count, max_size=count)
    names = st.lists(st.text(), min_size=count, max_size=count)
    points, regions = data.draw(pairs), data.draw(st.none() | names)
    path = tmp_path / "points.csv"
    write_embedding(path, points, coords, regions)
    back = read_embedding(path)
    np.testing.assert_allclose(back.points, points, rtol=1e-5)
    np.testing.assert_array_equal(back.coords, coords)
    assert back.regions == (None if regions is None else tuple(map(clean_name, regions)))


def test_the_file_has_the_columns_of_the_predecessor(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    write_embedding(path, [(1.5, -2), (1e-9, 3)], [(7, 2), (0, 1)])
    assert path.read_text() == f"{HEADER}\n1.5,-2,2,7\n1e-09,3,1,0\n"
    write_embedding(path, [(1.5, -2), (0, 3)], [(7, 2), (0, 1)], ["ink, red", ""])
    assert path.read_text() == f'{HEADER},region\n1.5,-2,2,7,"ink, red"\n0,3,1,0,\n'


def test_columns_in_any_order_and_others_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("\ufeffimage_y,weight,tsne_y, tsne_x ,image_x\n7,9,-2,1.5,2\n\n 0,9,3,4, 1\n")
    table = read_embedding(path, 8, 3)
    np.testing.assert_array_equal(table.points, [(1.5, -2), (4, 3)])
    np.testing.assert_array_equal(table.coords, [(7, 2), (0, 1)])
    assert table.regions is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1 is ''.*expected the header tsne_x,tsne_y,image_x,image_y"),
        ("x,y\n1,2\n", "line 1 is 'x,y'"),
        (f"{HEADER}\n", "it has no texels"),
        (f"{HEADER}\n1,2,3,4\n1,x,3,5\n", "line 3 is '1,x,3,5', expected two numbers"),
        (f"{HEADER}\n1,nan,3,5\n", "line 2 is '1,nan,3,5', expected two numbers"),
        (f"{HEADER}\n1_0,2,3,5\n", "line 2 is '1_0,2,3,5', expected two numbers"),
        (f"{HEADER}\n1,2,3\n", "line 2 is '1,2,3', expected two integers"),
        (f"{HEADER}\n1,2,3.5,4\n", "line 2 .*expected two integers"),
        (f"{HEADER}\n1,2,-3,4\n", "line 2: x=-3, y=4 lies outside"),
        (f"{HEADER}\n1,2,6,4\n", "line 2: x=6, y=4 lies outside the 6 x 5 image"),
        (f"{HEADER}\n1,2,4,5\n", "line 2: x=4, y=5 lies outside the 6 x 5 image"),
        (f"{HEADER}\n1,2,3,4\n\n5,6,3,4\n", "line 4: the texel x=3, y=4 is listed twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(CoordinatesError, match=complaint) as caught:
        read_embedding(path, 5, 6)
    assert str(path) in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CoordinatesError, match="there is no such file"):
        read_embedding(tmp_path / "points.csv")


def test_a_texel_far_away_asks_for_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(f"{HEADER}\n1,2,3,99999999\n")
    with pytest.raises(CoordinatesError, match="line 2: x=3, y=99999999 lies outside"):
        read_embedding(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.text('0123456789.,-e \n"', max_size=20), max_size=6))
def test_any_text_is_read_or_refused(rows: list[str], tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("\n".join([HEADER, *rows]))
    with suppress(CoordinatesError):
        table = read_embedding(path, 40, 30)
        assert np.isfinite(table.points).all()
        assert (table.coords >= 0).all()
        assert (table.coords < (40, 30)).all()
        assert len(np.unique(table.coords, axis=0)) == len(table.coords) == len(table.points)


def test_the_texels_that_are_in_a_region(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    rows = "1,2,3,4,ink\n5,6,0,1,\n7,8,2,2, cloth\n9,9,0,0,ink\n"
    path.write_text(f"{HEADER},region\n{rows}")
    texels = read_embedding(path).region_texels()
    assert texels is not None
    np.testing.assert_array_equal(texels.coords, [(4, 3), (2, 2), (0, 0)])
    assert texels.names == ("ink", "cloth")
    np.testing.assert_array_equal(texels.region_of, [0, 1, 0])
    for text in (f"{HEADER}\n1,2,3,4\n", f"{HEADER},region\n1,2,3,4,\n"):
        path.write_text(text)
        assert read_embedding(path).region_texels() is None
