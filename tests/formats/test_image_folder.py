from __future__ import annotations

import shutil
import zipfile
import zlib
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
from napari_btf.errors import CaptureError, UsageError
from napari_btf.formats import read, recognises
from napari_btf.formats.image_names import Angles, AnglesError, parse_angles

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
        ("tl000_pl000_tv075_pv345.exr", (0, 0, 75, 345)),
        ("cloth-tl15-pl-30-tv7.5-pv0-v2.png", (15, -30, 7.5, 0)),
        ("00081tl015pl060tv000pv345.jpg", (15, 60, 0, 345)),
        ("theta_l15_phi_l30_theta_v45_phi_v60.tif", (15, 30, 45, 60)),
        ("thetaV_45 phiV_60 thetaL=15.5 phiL=-30.png", (15.5, -30, 45, 60)),
        ("light_theta_15-light_phi_30-view-theta_0-view-phi_0.hdr", (15, 30, 0, 0)),
        ("phi_light30 theta_light15/theta_view0_phi_view90.jpg", (15, 30, 0, 90)),
        ("theta_i15_phi_i30_theta_o45_phi_o60.exr", (15, 30, 45, 60)),
        ("tl15.5_pl30_tv0_pv12.25", (15.5, 30, 0, 12.25)),
        ("tl15deg_pl30deg_tv0deg_pv0deg_tl15.bmp", (15, 30, 0, 0)),
    ],
)
def test_angles_of_known_names(name: str, angles: tuple[float, ...]) -> None:
    assert parse_angles(name) == Angles(*angles)


@pytest.mark.parametrize(
    "name",
    [
        "dirs.lp",
        "photo 15 30 0 0.jpg",
        "tl_pl_tv_pv.jpg",
        "tl15_pl30_tv0.jpg",
        "html5_cpl3_tv0_pv0.jpg",
        "",
    ],
)
def test_names_without_all_angles(name: str) -> None:
    assert parse_angles(name) is None


@given(st.tuples(angle, angle, angle, angle), st.permutations(["tl", "pl", "tv", "pv"]))
def test_keys_in_any_order(values: tuple[object, ...], order: list[str]) -> None:
    given_angles = dict(zip(("tl", "pl", "tv", "pv"), values, strict=True))
    for separator in (" ", "_", "-", ", "):
        name = separator.join(["img", *(f"{key}{given_angles[key]}" for key in order)])
        assert parse_angles(f"{name}.png") == Angles(*(float(str(v)) for v in values))


SPELLINGS = {
    "tl": ("tl", "TL", "theta_l", "thetaL", "theta-light", "light_theta", "Theta_i"),
    "pl": ("pl", "phi_l", "phil", "phi light", "lightPhi", "phi_i"),
    "tv": ("tv", "theta_v", "thetaView", "view-theta", "theta_o"),
    "pv": ("pv", "phi_v", "phiV", "view_phi", "phi_o"),
}


@given(
    st.fixed_dictionaries(dict.fromkeys(SPELLINGS, angle)),
    st.fixed_dictionaries({key: st.sampled_from(words) for key, words in SPELLINGS.items()}),
    st.permutations(list(SPELLINGS)),
    st.sampled_from([" ", "_", "-", "__"]),
    st.sampled_from(["", "_", "="]),
)
def test_keys_spelled_out(
    values: dict[str, object], words: dict[str, str], order: list[str], between: str, before: str
) -> None:
    name = between.join(f"{words[key]}{before}{values[key]}" for key in order)
    expected = Angles(*(float(str(values[key])) for key in SPELLINGS))
    assert parse_angles(f"cloth 7 {name} x.png") == expected


@given(st.one_of(st.text(max_size=60), st.from_regex(r"([tp][lv_0-9. =-]+){1,8}")))
def test_any_text_is_parsed_or_refused(name: str) -> None:
    try:
        found = parse_angles(name)
    except AnglesError:
        found = None
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
        with pytest.raises(CaptureError, match=r"00004 tl.*is incomplete.*copy it again"):
            btf.frame(4)

    @pytest.mark.parametrize("content", [b"", b"no image at all", b"\xff\xd8\xff\xe0 broken"])
    def test_files_that_are_no_images(self, write_capture: Write, content: bytes) -> None:
        folder = write_capture()
        sorted(folder.iterdir())[1].write_bytes(content)
        with pytest.raises(CaptureError, match="00001 tl"):
            read(folder)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_numbers(self, tmp_path: Path, value: float) -> None:
        radiance = np.ones((4, 4, 3), np.float32)
        radiance[1, 2, 0] = value
        tifffile.imwrite(tmp_path / "tl0_pl0_tv0_pv0.tif", radiance, photometric="rgb")
        btf = read(tmp_path)
        with pytest.raises(CaptureError, match=r"tl0.*tif: the image has 1 values that are inf"):
            btf.frame(0)

    def test_angles_that_contradict_each_other(self, write_capture: Write) -> None:
        folder = write_capture()
        sorted(folder.iterdir())[2].rename(folder / "tl15_tl20_pl30_tv0_pv0.png")
        assert recognises(folder)
        with pytest.raises(CaptureError, match=r"tl15_tl20.*gives tl twice, as 15 and 20"):
            read(folder)
        assert "gives tl twice" in read(folder, skip_bad=True).notes[0]

    def test_an_azimuth_without_end(self, write_capture: Write) -> None:
        folder = write_capture()
        sorted(folder.iterdir())[2].rename(folder / f"tl0_pl{'9' * 150}_tv0_pv0.png")
        with pytest.raises(CaptureError, match="pl is 1e\\+150 degrees, which is not an azimuth"):
            read(folder)

    def test_an_image_that_claims_to_be_enormous(self, write_capture: Write) -> None:
        folder = write_capture()
        path = sorted(folder.iterdir())[1]
        content = bytearray(path.read_bytes())
        content[16:24] = (200_000).to_bytes(4, "big") * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
        path.write_bytes(content)
        with pytest.raises(CaptureError, match=r"00001 tl.*its header claims 120.0 GB"):
            read(folder)


class TestSkipBad:
    def test_bad_images_are_left_out_and_listed(self, write_capture: Write) -> None:
        folder = write_capture(extension=".jpg", height=64, width=64)
        paths = sorted(folder.iterdir())
        expected = read(folder)
        paths[1].write_bytes(b"")
        paths[4].write_bytes(paths[4].read_bytes()[:-200])
        Image.new("RGB", (17, 12)).save(paths[6])
        paths[7].write_text("not an image")
        paths[8].rename(folder / "tl120 pl0 tv0 pv0.jpg")
        btf = read(folder, skip_bad=True)
        kept = [0, 2, 3, 5, 9, 10, 11]
        np.testing.assert_array_equal(btf.light, expected.light[kept])
        np.testing.assert_array_equal(btf.view, expected.view[kept])
        np.testing.assert_array_equal(btf.frame(3), expected.frame(5))
        notes = "\n".join(btf.notes)
        assert "1 images with wrong names were left out" in notes
        assert "4 images were left out" in notes
        for i, reason in (
            (1, "is empty"),
            (4, "is incomplete"),
            (6, "17 x 12"),
            (7, "is of a format"),
        ):
            assert f'"{paths[i].name}" (' in notes
            assert reason in notes

    def test_nothing_left_is_an_error(self, write_capture: Write) -> None:
        folder = write_capture()
        for path in folder.iterdir():
            path.write_bytes(b"")
        with pytest.raises(CaptureError, match="is empty"):
            read(folder, skip_bad=True)


class TestPattern:
    def test_any_names(self, write_capture: Write) -> None:
        folder = write_capture()
        expected = read(folder).in_memory()
        for path in sorted(folder.iterdir()):
            _, tl, pl, tv, pv = path.stem.split(" ")
            path.rename(folder / f"cam{tv[2:]},{pv[2:]}-lamp{tl[2:]},{pl[2:]}.png")
        with pytest.raises(CaptureError, match="no image name contains"):
            read(folder)
        pattern = r"cam(?P<tv>[\d.]+),(?P<pv>[\d.]+)-lamp(?P<tl>[\d.]+),(?P<pl>[\d.]+)"
        btf = read(folder, pattern=pattern)
        for i in range(len(btf)):
            j = expected.nearest(btf.light[i], btf.view[i])
            np.testing.assert_array_equal(btf.frame(i), expected.frame(j))

    def test_without_views_all_are_frontal(self, write_capture: Write) -> None:
        btf = read(write_capture(), pattern=r"tl(?P<tl>\d+) pl(?P<pl>\d+) tv000")
        assert len(btf) == 6
        np.testing.assert_array_equal(btf.view, np.tile([0.0, 0.0, 1.0], (6, 1)))
        assert "6 images without angles" in btf.notes[0]

    @pytest.mark.parametrize(
        ("pattern", "problem"),
        [
            ("(", "is not a regular expression"),
            (r"(?P<tl>\d+)", "has the named groups tl, expected tl, pl, tv and pv"),
            ("tl", "has the named groups none"),
        ],
    )
    def test_patterns_that_are_none(self, write_capture: Write, pattern: str, problem: str) -> None:
        with pytest.raises(UsageError, match=problem):
            read(write_capture(), pattern=pattern)

    def test_a_pattern_that_matches_nothing_or_no_number(self, write_capture: Write) -> None:
        folder = write_capture()
        with pytest.raises(CaptureError, match="the pattern matches no image name"):
            read(folder, pattern=r"theta(?P<tl>\d+)phi(?P<pl>\d+)")
        with pytest.raises(CaptureError, match=r"00000 tl.*finds 'tl' as tl, not a number"):
            read(folder, pattern=r"(?P<tl>[a-z]+)\d+ pl(?P<pl>\d+)")

    def test_not_of_a_texel_store(self, data_dir: Path) -> None:
        with pytest.raises(UsageError, match="a pattern applies only to image names"):
            read(data_dir / "ubo2014-tiny" / "tiny_fmf12.btf", pattern="x")


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


def test_an_empty_path_is_not_the_current_folder(
    write_capture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_capture())
    assert recognises(".")
    assert not recognises("")
    with pytest.raises(CaptureError, match="the path is empty"):
        read("")
