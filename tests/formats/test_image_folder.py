from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_btf.directions import vectors_to_angles
from napari_btf.errors import CaptureError
from napari_btf.formats import read, recognises
from napari_btf.formats.image_folder import Angles, parse_angles

Write = Callable[..., Path]

angle = st.one_of(st.integers(0, 360), st.decimals(-90, 360, places=2))


@pytest.mark.parametrize(
    ("name", "angles"),
    [
        ("00081 tl015 pl060 tv000 pv000.jpg", (15, 60, 0, 0)),
        ("tv015_pv060/00081 tl015 pl000 tv015 pv060.jpg", (15, 0, 15, 60)),
        ("tv015_pv060/tl030_pl120.png", (30, 120, 15, 60)),
        ("img_tv0_pv0_tl15_pl345.jpg", (15, 345, 0, 0)),
        ("00003 tl059.96 pl206.18 tv055.20 pv152.10.png", (59.96, 206.18, 55.2, 152.1)),
        ("IMG_TV0_PV0_TL-15_PL0.JPG", (-15, 0, 0, 0)),
    ],
)
def test_angles_of_known_names(name: str, angles: tuple[float, ...]) -> None:
    assert parse_angles(name) == Angles(*angles)


@pytest.mark.parametrize(
    "name",
    [
        "dirs.lp",
        "photo 15 30 0 0.jpg",
        "tl15_pl30_tv0.jpg",
        "tl15_tl20_pl30_tv0_pv0.jpg",
        "html5_cpl3_tv0_pv0.jpg",
        "",
    ],
)
def test_names_without_all_angles(name: str) -> None:
    assert parse_angles(name) is None


@given(st.tuples(angle, angle, angle, angle), st.permutations(["tl", "pl", "tv", "pv"]))
def test_keys_in_any_order(values: tuple[object, ...], order: list[str]) -> None:
    given_angles = dict(zip(("tl", "pl", "tv", "pv"), values, strict=True))
    for separator in (" ", "_"):
        name = separator.join(["img", *(f"{key}{given_angles[key]}" for key in order)])
        assert parse_angles(f"{name}.png") == Angles(*(float(str(v)) for v in values))


@given(st.text(max_size=60))
def test_any_text_is_parsed_without_raising(name: str) -> None:
    found = parse_angles(name)
    assert found is None or len(found) == 4


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tga", ".tif", ".PNG"])
def test_pixels_of_lossless_formats(write_capture: Write, extension: str) -> None:
    folder = write_capture(extension=extension)
    btf = read(folder)
    assert btf.info() == {
        "format": "image folder",
        "images": 12,
        "views": 2,
        "lights": 6,
        "height": 12,
        "width": 16,
        "channels": 3,
        "dtype": "uint8",
        "bytes": 12 * 12 * 16 * 3,
        "missing_pairs": 0,
        "duplicate_pairs": 0,
    }
    for i, path in enumerate(sorted(folder.iterdir())):
        np.testing.assert_array_equal(btf.frame(i), np.asarray(Image.open(path)))


def test_jpeg_grey_and_16_bit(write_capture: Write, tmp_path: Path) -> None:
    assert read(write_capture(extension=".jpg", name="jpeg")).channels == 3
    assert read(write_capture(channels=1, name="grey")).channels == 1

    deep = np.arange(6 * 5 * 3, dtype=np.uint16).reshape(6, 5, 3) * 700
    for name, content in (
        ("png", imagecodecs.png_encode(deep)),
        ("tif", None),
    ):
        folder = tmp_path / name
        folder.mkdir()
        path = folder / f"tl0_pl0_tv0_pv0.{name}"
        if content is None:
            tifffile.imwrite(path, deep, photometric="rgb", byteorder=">")
        else:
            path.write_bytes(content)
        btf = read(folder)
        assert btf.values.largest == 65535
        np.testing.assert_array_equal(btf.frame(0), deep)


def test_alpha_is_left_out_with_a_note_and_palettes_are_expanded(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 4, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tl0_pl0_tv0_pv0.png")
    btf = read(tmp_path)
    np.testing.assert_array_equal(btf.frame(0), pixels[..., :3])
    assert "alpha" in btf.notes[0]

    flat = Image.new("P", (4, 4), 1)
    flat.putpalette([0, 0, 0, 200, 100, 50])
    flat.save(tmp_path / "tl0_pl0_tv0_pv0.png")
    assert read(tmp_path).frame(0)[2, 2].tolist() == [200, 100, 50]


def test_folder_per_view_and_zip_read_the_same(write_capture: Write, tmp_path: Path) -> None:
    flat = write_capture()
    nested = tmp_path / "nested"
    for path in flat.iterdir():
        folder = nested / path.stem.split(" ", 3)[3].replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    archive = tmp_path / "capture.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(nested.rglob("*.png")):
            target.write(path, path.relative_to(nested))
    expected = read(flat)
    for other in (read(nested), read(archive)):
        assert other.info() | {"format": ""} == expected.info() | {"format": ""}
        for i in range(len(expected)):
            j = other.nearest(expected.light[i], expected.view[i])
            np.testing.assert_array_equal(other.frame(j), expected.frame(i))


def test_images_without_angles_are_left_out_with_a_note(write_capture: Write) -> None:
    folder = write_capture()
    Image.new("RGB", (99, 99)).save(folder / "preview.jpg")
    (folder / "readme.txt").write_text("hello")
    btf = read(folder)
    assert len(btf) == 12
    assert "1 images without angles" in btf.notes[0]
    assert "preview.jpg" in btf.notes[0]


def test_reading_is_lazy(write_capture: Write) -> None:
    folder = write_capture()
    btf = read(folder)
    first = sorted(folder.iterdir())[0]
    first.unlink()
    with pytest.raises(CaptureError, match=r"00000 tl000.*cannot be read"):
        btf.frame(0)
    assert btf.frame(1).shape == (12, 16, 3)


class TestWrongCaptures:
    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"nowhere: there is no such folder.*check the path"):
            read(tmp_path / "nowhere")

    def test_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="there is no image in it"):
            read(tmp_path)

    def test_a_file_that_is_no_capture(self, tmp_path: Path) -> None:
        for name in ("notes.txt", "broken.zip"):
            (tmp_path / name).write_text("hello")
            with pytest.raises(CaptureError, match=f"{name}: .*expected a folder of images"):
                read(tmp_path / name)
            assert not recognises(tmp_path / name)

    def test_names_without_angles_show_what_was_found_and_what_is_known(
        self, tmp_path: Path
    ) -> None:
        for i in range(5):
            Image.new("RGB", (4, 4)).save(tmp_path / f"photo{i}.png")
        with pytest.raises(CaptureError) as caught:
            read(tmp_path)
        assert '"photo0.png", "photo1.png", "photo2.png"' in str(caught.value)
        assert "img_tv0_pv0_tl15_pl0.jpg" in str(caught.value)

    def test_theta_below_the_surface(self, write_capture: Write) -> None:
        folder = write_capture()
        sorted(folder.iterdir())[3].rename(folder / "tl120_pl0_tv0_pv0.png")
        with pytest.raises(CaptureError, match=r"tl120.*tl is 120 degrees"):
            read(folder)

    def test_different_sizes_name_the_odd_one(self, write_capture: Write) -> None:
        folder = write_capture()
        odd = sorted(folder.iterdir())[0]
        Image.new("RGB", (17, 12)).save(odd)
        with pytest.raises(CaptureError, match=r"00000 tl000.*17 x 12 RGB.*16 x 12 RGB"):
            read(folder)

    def test_grey_among_colour(self, write_capture: Write) -> None:
        folder = write_capture()
        Image.new("L", (16, 12)).save(sorted(folder.iterdir())[2])
        with pytest.raises(CaptureError, match="16 x 12 grey 8 bit, the other images are"):
            read(folder)

    def test_truncated_jpeg_is_named_when_it_is_read(self, write_capture: Write) -> None:
        folder = write_capture(extension=".jpg", height=64, width=64)
        path = sorted(folder.iterdir())[4]
        path.write_bytes(path.read_bytes()[:-200])
        btf = read(folder)
        with pytest.raises(CaptureError, match=r"00004 tl.*damaged or truncated.*copy it again"):
            btf.frame(4)

    @pytest.mark.parametrize("content", [b"", b"no image at all", b"\xff\xd8\xff\xe0 broken"])
    def test_files_that_are_no_images(self, write_capture: Write, content: bytes) -> None:
        folder = write_capture()
        sorted(folder.iterdir())[1].write_bytes(content)
        with pytest.raises(CaptureError, match="00001 tl"):
            read(folder)

    def test_float_images_are_refused_by_name(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "tl0_pl0_tv0_pv0.tif", np.zeros((4, 4), np.float32))
        with pytest.raises(CaptureError, match="float32 values, only 8 and 16 bit"):
            read(tmp_path)


class TestRealCaptures:
    def test_wallpaper(self, wallpaper: Path) -> None:
        btf = read(wallpaper)
        assert recognises(wallpaper)
        assert btf.info() == {
            "format": "image folder",
            "images": 81,
            "views": 1,
            "lights": 81,
            "height": 256,
            "width": 256,
            "channels": 3,
            "dtype": "uint8",
            "bytes": 81 * 256 * 256 * 3,
            "missing_pairs": 0,
            "duplicate_pairs": 0,
        }
        first = next(wallpaper.glob("00000*"))
        np.testing.assert_array_equal(btf.frame(0), np.asarray(Image.open(first)))

    def test_second_naming(self, data_dir: Path) -> None:
        btf = read(data_dir / "seed-names" / "captures")
        assert (btf.info()["images"], btf.width, btf.height) == (81, 800, 600)

    def test_one_folder_per_view(self, data_dir: Path) -> None:
        btf = read(data_dir / "weave" / "grid64")
        info = btf.info()
        assert (info["images"], info["views"], info["lights"]) == (6561, 81, 81)
        assert info["missing_pairs"] == info["duplicate_pairs"] == 0

    def test_decimal_degrees_off_the_grid(self, data_dir: Path) -> None:
        btf = read(data_dir / "weave" / "offgrid64")
        theta, phi = vectors_to_angles(btf.light)
        assert (theta[0], phi[0]) == (pytest.approx(50.69), pytest.approx(250.05))
        assert not btf.is_grid
