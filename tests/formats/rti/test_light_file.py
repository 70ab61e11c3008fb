"""The text of an .lp file: what is understood, and what is refused."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_btf.errors import CaptureError
from napari_btf.formats.rti.light_file import LightFile, parse_light_file
from napari_btf.tables import decode_text

LP = Path("dirs.lp")


def parse(text: str) -> LightFile:
    return parse_light_file(LP, text)


def test_a_plain_file() -> None:
    found = parse("2\nimage00.jpg -0.6 0 0.8\nimage01.jpg 0 0 1\n")
    assert found.names == ["image00.jpg", "image01.jpg"]
    assert found.lines == [2, 3]
    np.testing.assert_allclose(found.light, [[-0.6, 0, 0.8], [0, 0, 1]])
    assert found.notes == []


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("1\r\na.jpg 0 0.6 0.8\r\n\r\n\r\n", "a.jpg", None),
        ("1\na.jpg 0 0.6 0.8", "a.jpg", None),
        ("1\na b  c.jpg 0 0.6 0.8", "a b  c.jpg", None),
        ("1\nphoto 15 30 0 0.jpg 0e0 +6E-1 .8", "photo 15 30 0 0.jpg", None),
        ("1\na.jpg\t0\t0.6\t0.8\n", "a.jpg", "tabs"),
        ("  1\n   a.jpg   0 0.6 0.8  \n", "a.jpg", "leading blanks"),
        ("\n1\n\na.jpg 0 0.6 0.8\n", "a.jpg", "blank lines"),
        ("1\na.jpg 0 0,6 0,8\n", "a.jpg", "decimal commas"),
        ("1\na.jpg, 0.0, 0.6, 0.8\n", "a.jpg", "commas or semicolons between columns"),
        ("1\na.jpg,0.0,0.6,0.8\n", "a.jpg", "commas or semicolons between columns"),
        ("1\na.jpg;0,0;0,6;0,8\n", "a.jpg", "commas or semicolons"),
        ("1\na.jpg ; 0 ; 0,6 ; 0,8 ;\n", "a.jpg", "commas or semicolons"),
        ("1\na, b.jpg 0 0.6 0.8\n", "a, b.jpg", None),
        ('1\n"a b.jpg" 0 0.6 0.8\n', "a b.jpg", "quotes"),
        ("1\n'a.jpg' 0 0.6 0.8\n", "a.jpg", "quotes"),
        ("1\njpg\\a.jpg 0 0.6 0.8\n", "jpg\\a.jpg", "backslashes"),
        ("\ufeff1\na.jpg 0 0.6 0.8\n", "a.jpg", "byte order mark"),
        ("a.jpg 0 0.6 0.8\n", "a.jpg", "does not say how many"),
        ("1\na.jpg 0 1.2 1.6\n", "a.jpg", "are 2 long and were normalised"),
        ("1\na.jpg 0 6e200 8e200\n", "a.jpg", "normalised"),
        ("1\na.jpg 0 6e-200 8e-200\n", "a.jpg", "normalised"),
    ],
)
def test_odd_files_are_understood_and_it_is_told(text: str, name: str, told: str | None) -> None:
    found = parse(text)
    assert found.names == [name]
    np.testing.assert_allclose(found.light, [[0, 0.6, 0.8]], atol=1e-12)
    if told is None:
        assert found.notes == []
    else:
        (note,) = found.notes
        assert told in note
        assert "dirs.lp" in note


def test_oddities_share_one_note() -> None:
    found = parse('\ufeff1\n\n\t"a.jpg"\t0,0 0 1\n')
    assert found.notes == [
        "dirs.lp was read in spite of a byte order mark, blank lines, leading blanks, "
        "tabs, quotes, decimal commas"
    ]


def test_more_lines_than_the_count_are_all_taken() -> None:
    found = parse("1\na.jpg 0 0 1\nb.jpg 0 0 1\n")
    assert found.names == ["a.jpg", "b.jpg"]
    assert found.notes == [
        "the first line of dirs.lp says 1 images, but it names 2, and all of them were used"
    ]


def test_four_decimals_are_unit_vectors_without_a_note() -> None:
    assert parse("1\na.jpg 0.6645 0.6645 0.3420\n").notes == []


def test_lights_on_the_horizon() -> None:
    assert parse("1\na.jpg 1 0 0\n").notes == []
    # The example in HP's description of the format has such a light.
    found = parse("1\na.jpg -0.587692 0.809084 -0.000204\n")
    assert found.light[0, 2] == 0
    assert np.linalg.norm(found.light) == pytest.approx(1)
    assert found.notes == [
        'lights less than half a degree below the horizon were moved onto it: "a.jpg"'
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it names no image; expected the number of images"),
        ("\n \n", "it names no image"),
        ("3\n", "it names no image"),
        ("3\na.jpg 0 0 1\nb.jpg 0 0 1\n", "the first line says 3 images, but only 2 lines follow"),
        ("Maximize\n obj: x\n", 'line 1 is "Maximize", expected the number of images'),
        ("-1\na.jpg 0 0 1\n", 'line 1 is "-1", expected the number of images'),
        ("2\na.jpg 0 0 1\n\nb.jpg 0 one 1\n", 'line 4 is "b.jpg 0 one 1", expected an image name'),
        ("1\na.jpg 0 1\n", 'line 2 is "a.jpg 0 1", expected an image name and the numbers x y z'),
        ("1\n0 0 1\n", 'line 2 is "0 0 1"'),
        ('1\n"" 0 0 1\n', "line 2 is"),
        ("1\n" + "x" * 1000, r'xxx\.\.\.", expected'),
        ("1\na.jpg " + "9" * 1000 + " 0 1", "line 2 is"),
        ("2\na.jpg 0 0 1\nb.jpg 0 0 0\n", "line 3 has the vector 0 0 0, which is not a direction"),
        ("1\na.jpg 0,0 -0 0.000\n", "line 2 has the vector 0 0 0"),
        ("1\na.jpg 0 NaN 1\n", "line 2 has the vector 0 NaN 1, expected three finite numbers"),
        ("1\na.jpg 0 -inf 1\n", "line 2 has the vector 0 -inf 1, expected three finite"),
        ("1\na.jpg 0 1e999 1\n", "expected three finite numbers"),
        (
            "2\na.jpg 0 0 1\nb.jpg 0.6 0 -0.8\n",
            r"the light of line 3 lies behind the surface \(z = -0.8\), z points from the surface",
        ),
        ("2\na.jpg 0 0 -1\nb.jpg 0 0 -1\n", r"of line 2 \(and of 1 more\) lies behind"),
    ],
)
def test_wrong_files_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(CaptureError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("dirs.lp: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Löwe.jpg".encode(), "Löwe.jpg"),
        ("Löwe.jpg".encode("cp1252"), "Löwe.jpg"),
        (codecs.BOM_UTF16_LE + "Löwe.jpg".encode("utf-16-le"), "Löwe.jpg"),
        (codecs.BOM_UTF16_BE + "Löwe.jpg".encode("utf-16-be"), "Löwe.jpg"),
        (codecs.BOM_UTF8 + "Löwe.jpg".encode(), "\ufeffLöwe.jpg"),
    ],
)
def test_encodings(data: bytes, text: str) -> None:
    assert decode_text(data) == text


@pytest.mark.parametrize("filler", ["9", " ", "\t", "a ", "0 ", ",", ";", "0,", "\n", "e9", "1."])
def test_hostile_files_are_over_at_once(filler: str) -> None:
    """Where reading took the square of the length, this would not end."""
    text = "1\na.jpg 0 0 " + filler * (1_000_000 // len(filler)) + "x"
    with pytest.raises(CaptureError):
        parse(text)


LETTERS = st.characters(exclude_categories=["C", "Z"], exclude_characters="\"',;\\")
NAMES = st.lists(
    st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=3).map(" ".join),
    min_size=1,
    max_size=6,
)
DIRECTION = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.01, 1))
BLANKS = st.text(" \t", min_size=1, max_size=3)


@given(NAMES, st.data())
def test_round_trip_with_odd_spacing(names: list[str], data: st.DataObject) -> None:
    vectors = data.draw(st.lists(DIRECTION, min_size=len(names), max_size=len(names)))
    ends = data.draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n", "\r"]))
    comma = data.draw(st.booleans())
    quote = data.draw(st.sampled_from(["", '"', "'"]))
    lines = [str(len(names))]
    for name, vector in zip(names, vectors, strict=True):
        numbers = [repr(number) for number in vector]
        if comma:
            numbers = [number.replace(".", ",") for number in numbers]
        between = [data.draw(BLANKS) for _ in range(3)]
        line = f"{quote}{name}{quote}" + "".join(map("".join, zip(between, numbers, strict=True)))
        lines.append(data.draw(st.sampled_from(["", " ", "\t"])) + line)
    text = data.draw(st.sampled_from(["", "\ufeff"])) + ends.join(lines)
    found = parse(text + data.draw(st.sampled_from(["", ends])))
    assert found.names == names
    expected = np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found.light, expected, atol=1e-12)


ALMOST = st.lists(st.text("0123456789.,;+-eEnaif x\t\"'\\/\ufeff", max_size=30), max_size=6).map(
    "\n".join
)


def parsed_or_refused(text: str) -> LightFile | str:
    try:
        return parse(text)
    except CaptureError as error:
        return str(error)


@given(st.one_of(st.text(), ALMOST, ALMOST.map(lambda text: "2\n" + text)))
@example("1\n'\" 0 0 1")
@example("1\n.. 1e-320 0 1e-320")
@example("0\x1f")
def test_any_text_is_parsed_or_refused(text: str) -> None:
    found = parsed_or_refused(text)
    if isinstance(found, str):
        assert "\n" not in found
        return
    assert len(found.names) == len(found.lines) == len(found.light) > 0
    np.testing.assert_allclose(np.linalg.norm(found.light, axis=1), 1)
    assert found.light[:, 2].min() >= 0


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded(data: bytes) -> None:
    assert isinstance(decode_text(data), str)
