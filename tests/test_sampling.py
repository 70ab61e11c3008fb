from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_btf.errors import CoordinatesError, UsageError
from napari_btf.sampling import (
    all_texels,
    every_nth,
    masked_texels,
    random_texels,
    read_coordinates,
    write_coordinates,
)

if TYPE_CHECKING:
    from pathlib import Path

masks = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)


def test_square_of_ten_at_step_two_gives_five_by_five() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[7:17, 30:40] = 2
    chosen = every_nth(masked_texels(mask), 2)
    assert len(chosen) == 25
    assert chosen[0].tolist() == [7, 30]
    assert chosen[-1].tolist() == [15, 38]


@given(masks, st.integers(1, 5))
def test_thinned_texels_are_painted_ones_on_a_grid(mask: np.ndarray, step: int) -> None:
    painted = masked_texels(mask)
    assert len(painted) == np.count_nonzero(mask)
    chosen = every_nth(painted, step)
    assert set(map(tuple, chosen)) <= set(map(tuple, painted))
    if len(chosen) > 1:
        assert np.all((chosen - chosen[0]) % step == 0)
    if step == 1:
        np.testing.assert_array_equal(chosen, painted)


def test_random_texels_are_distinct_and_repeatable() -> None:
    every = all_texels(40, 30)
    chosen = random_texels(every, 100, seed=5)
    assert len(np.unique(chosen, axis=0)) == 100
    np.testing.assert_array_equal(chosen, random_texels(every, 100, seed=5))
    assert not np.array_equal(chosen, random_texels(every, 100, seed=6))
    assert len(random_texels(every, 10**9)) == 1200


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="sampling step is 0"):
        every_nth([[0, 0]], 0)
    with pytest.raises(UsageError, match="0 texels were asked for"):
        random_texels([[0, 0]], 0)


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
    with pytest.raises(CoordinatesError, match=complaint) as caught:
        read_coordinates(path, height=4, width=5)
    assert str(caught.value).startswith(str(path))


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CoordinatesError, match="no such file"):
        read_coordinates(tmp_path / "none.csv", 4, 4)
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(CoordinatesError, match="cannot be read as text"):
        read_coordinates(tmp_path / "image.csv", 4, 4)
    with pytest.raises(CoordinatesError, match="cannot be written"):
        write_coordinates(tmp_path / "image.csv" / "texels.csv", [[0, 0]])
