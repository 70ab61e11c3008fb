"""Messages about files and folders that are not captures name what is there."""

from __future__ import annotations

import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_btf.errors import CaptureError
from napari_btf.formats import read

PNG = io.BytesIO()
Image.new("L", (4, 3)).save(PNG, "PNG")
TAR = io.BytesIO()
with tarfile.open(fileobj=TAR, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("tl0_pl0_tv0_pv0.png"))


def refused(path: Path) -> str:
    with pytest.raises(CaptureError) as caught:
        read(path)
    said = str(caught.value).removeprefix(str(path))
    assert len(said) <= 300 - 60
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("coin.ptm", b"PTM_1.2\nPTM_FORMAT_LRGB\n4\n4\n", "a fitted PTM, not photographs; open"),
        ("coin.rti", b"#HSH1.2\n3\n", "a fitted HSH, not photographs; open the photographs that"),
        ("coin.rti", b"3\n", "the result of an RTI program, not its photographs"),
        ("cap.7z", b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it, and open the folder"),
        ("cap.zip", b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
        ("cap.rar", b"Rar!\x1a\x07\1\0", "a RAR archive"),
        ("cap.tar", TAR.getvalue(), "a tar archive"),
        ("cap.tar.gz", b"\x1f\x8b\x08", "packed by gzip"),
        ("cap.zip", b"\n<!DOCTYPE html><html>", "a web page, .*; download the file again"),
        ("cap.zip", b"", "it is empty; copy it again"),
        ("m.safetensors", b"\x10" + bytes(20), "a model, not a capture"),
        ("tl0_pl0_tv0_pv0.png", PNG.getvalue(), "one image; open the folder of all images"),
        ("notes.txt", b"hello", "no capture of a known kind; expected a folder of images or a"),
    ],
)
def test_files(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert re.search(said, refused(tmp_path / name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only Unix has named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npy")
    assert "neither a folder nor a file" in refused(tmp_path / "a.npy")


def test_folders_without_images(tmp_path: Path) -> None:
    for names, said in (
        (["DSC_1.NEF", "DSC_2.NEF"], 'it holds raw photographs ("DSC_1.NEF" and 1 more); develop'),
        (["a/1.heic"], "it holds images of a kind that is not read"),
        (["0.npy", "1.npy"], "single arrays"),
        (["coin.ptm"], "results of an RTI program"),
        (["part1.zip"], "archives"),
        (["a.txt"], "there is no image in it; expected images named"),
    ):
        folder = tmp_path / names[0].replace("/", "_")
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"II*\0")
        assert said in refused(folder)
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for name in names:
                archive.writestr(name, b"II*\0")
        assert said in refused(tmp_path / "x.zip")


def test_arrays_one_by_one_are_told_how_to_be_stacked(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", np.zeros((3, 4)))
    assert "numpy.stack, save that as one .npy file, and put a .csv file of the angles" in refused(
        tmp_path
    )


def test_raw_photographs_beside_their_lp_file(tmp_path: Path) -> None:
    (tmp_path / "1.NEF").write_bytes(b"II*\0")
    (tmp_path / "dirs.lp").write_text("1\n1.NEF 0 0 1\n")
    assert "it holds raw photographs" in refused(tmp_path)


def test_a_page_for_the_web(tmp_path: Path) -> None:
    (tmp_path / "info.json").write_text('{"type": "ptm", "nplanes": 18}')
    (tmp_path / "plane_0.jpg").write_bytes(PNG.getvalue())
    assert "coefficients of a fit for the web, not photographs" in refused(tmp_path)
    (tmp_path / "info.json").write_text("[" * 100_000)
    assert "no image name contains" in refused(tmp_path)


def test_images_that_lie_too_deep(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c" / "d" / "e"
    folder.mkdir(parents=True)
    (folder / "tl0_pl0_tv0_pv0.png").write_bytes(PNG.getvalue())
    said = refused(tmp_path)
    assert 'lie 5 folders deep, and 4 are searched; open the folder "a/b/c/d/e"' in said
    assert len(read(tmp_path / "a")) == 1


def test_photographs_with_a_text_of_lights(tmp_path: Path) -> None:
    for i in range(3):
        Image.new("RGB", (4, 3)).save(tmp_path / f"cat.{i}.tga")
    (tmp_path / "lights.txt").write_text("3\n0 0 1\n0 1 1\n1 0 1\n")
    said = refused(tmp_path)
    assert '"lights.txt" is not read; write a file dirs.lp: the number of images, then' in said
