"""Zip archives of other systems, damaged ones, and hostile ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_btf.errors import BTFError, CaptureError
from napari_btf.formats import read, recognises

NAMES = [f"tl30_pl{60 * i:03}_tv0_pv0.png" for i in range(4)]


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 3), value).save(file, "PNG")
    return file.getvalue()


def zipped(
    path: Path, names: Sequence[str] = NAMES, method: int = zipfile.ZIP_DEFLATED
) -> bytearray:
    with zipfile.ZipFile(path, "w", method) as archive:
        for i, name in enumerate(names):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, png(i + 1), method)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("form", ["./{}", "cap\\sub\\{}", ".\\{}", "a/./b//{}", "bücher/{}"])
def test_names_of_other_systems(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.zip"
    zipped(path, [form.format(name) for name in NAMES])
    assert recognises(path)
    btf = read(path)
    assert [int(btf.frame(i)[0, 0, 0]) for i in range(4)] == [1, 2, 3, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_names_without_a_mark_of_their_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.zip"
    names = ["Löwe1.png", "Löwe2.png"]
    # Names of the same length take the place of others, so that Python does not mark them.
    length = len("Löwe".encode(encoding))
    zipped(path, ["Q" * length + name[4:] for name in names])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("dirs.lp", "2\nLöwe1.png 0 0 1\nLöwe2.png 0 0.6 0.8\n")
    path.write_bytes(path.read_bytes().replace(b"Q" * length, "Löwe".encode(encoding)))
    btf = read(path)
    assert [int(btf.frame(i)[0, 0, 0]) for i in range(2)] == [1, 2]


def patched(path: Path, offset_local: int, offset_central: int, value: int) -> None:
    """Set two bytes of every header."""
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", offset_local), (b"PK\1\2", offset_central)):
        place = content.find(mark)
        while place >= 0:
            content[place + offset : place + offset + 2] = value.to_bytes(2, "little")
            place = content.find(mark, place + 4)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("method", "said"), [(9, "Deflate64"), (93, "Zstandard"), (98, "PPMd"), (77, "method 77")]
)
def test_unknown_methods_say_to_repack(tmp_path: Path, method: int, said: str) -> None:
    path = tmp_path / "x.zip"
    zipped(path)
    patched(path, 8, 10, method)
    with pytest.raises(CaptureError, match=f"is packed by {said}.*zip it again by ordinary Defl"):
        read(path)


def test_encrypted_archives_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    zipped(path)
    patched(path, 6, 8, 1)
    with pytest.raises(CaptureError, match="in it is encrypted; unpack it"):
        read(path)


def test_damaged_archives(tmp_path: Path) -> None:
    version = zipped(tmp_path / "version.zip")
    place = version.find(b"PK\1\2")
    version[place + 6 : place + 8] = b"\xff\0"
    lzma = zipped(tmp_path / "lzma.zip", method=zipfile.ZIP_LZMA)
    place = lzma.find(NAMES[0].encode()) + len(NAMES[0])
    lzma[place + 15 : place + 60] = b"\xff" * 45
    names = zipped(tmp_path / "names.zip", ["é" + name for name in NAMES])
    names = names.replace("é".encode(), b"\xff\xfe")
    for path, content, problem in (
        ("version.zip", version, "it cannot be opened .zip file version 25.5"),
        ("lzma.zip", lzma, "it cannot be read .Corrupt input data"),
        ("names.zip", names, "it contains names that are not valid text; zip the images again"),
    ):
        (tmp_path / path).write_bytes(content)
        with pytest.raises(CaptureError, match=problem):
            read(tmp_path / path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("again", [NAMES[0], f"./{NAMES[0]}"])
def test_a_name_that_is_there_twice(tmp_path: Path, again: str) -> None:
    zipped(tmp_path / "x.zip", [*NAMES, again])
    with pytest.raises(CaptureError, match=r"it contains .* twice"):
        read(tmp_path / "x.zip")


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", [*NAMES, NAMES[0].upper()])
    with pytest.raises(CaptureError, match="1 images are there more than once"):
        read(tmp_path / "x.zip")


def test_very_many_empty_images(tmp_path: Path) -> None:
    """Only some of them are looked at, so that a small file does not keep the machine busy."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(5000):
            archive.writestr(f"tl{i % 90}_pl{i // 90}_tv0_pv0.png", b"")
    with pytest.raises(CaptureError, match=r"tl0_pl0_tv0_pv0.png: it cannot be read \(it is empty"):
        read(path)


def test_an_archive_of_nothing_is_refused_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(10_001):
            archive.writestr(f"tl{i % 90}_pl{i // 90}_tv0_pv0.png", b"")
    assert not recognises(path)
    with pytest.raises(CaptureError, match="10,001 of its files are empty"):
        read(path, skip_bad=True)


def test_a_file_that_claims_to_be_enormous(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    content = zipped(path)
    place = content.find(b"PK\1\2")
    content[place + 24 : place + 28] = (3 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="it unpacks to more than 1 GiB"):
        read(path)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_change_of_an_archive_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    method = data.draw(st.sampled_from([0, 8, 12, 14]))
    content = zipped(path, NAMES[:2], method)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 5]))])
    recognises(path)
    said = ""
    try:
        btf = read(path, skip_bad=data.draw(st.booleans()))
        assert np.asarray(btf.frame(0)).shape[2] in (1, 3)
    except BTFError as error:
        said = str(error)
    assert "\n" not in said
