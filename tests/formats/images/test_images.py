"""Images of every kind, through a capture of one image."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError
from napari_btf.formats import read, recognises
from napari_btf.formats.images.exr import choose_channels
from napari_btf.formats.images.types import ImageFileError

OpenEXR = pytest.importorskip("OpenEXR")

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
RADIANCE = RNG.gamma(1.0, 2.0, (12, 16, 3)).astype(np.float16)


def one(folder: Path, content: bytes, extension: str) -> BTF:
    """A capture of one image."""
    path = folder / f"tl0_pl0_tv0_pv0{extension}"
    path.write_bytes(content)
    btf = read(folder)
    assert recognises(folder)
    return btf


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """A TIFF file."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def exr(channels: dict[str, np.ndarray], **header: object) -> bytes:
    """An OpenEXR file."""
    about = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    buffer = io.BytesIO()
    OpenEXR.File(about, channels).write(buffer)
    return buffer.getvalue()


class TestTiff:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_floats_are_kept(self, tmp_path: Path, dtype: type) -> None:
        btf = one(tmp_path, tiff(RADIANCE.astype(dtype), photometric="rgb"), ".tif")
        assert btf.values.is_float
        assert btf.color_space == "linear"
        np.testing.assert_array_equal(btf.frame(0), RADIANCE)
        assert btf.frame(0).dtype == (np.float16 if dtype is np.float16 else np.float32)

    def test_negative_radiance_is_kept_and_fitted_as_black(self, tmp_path: Path) -> None:
        pixels = RADIANCE.astype(np.float32)
        pixels[3, 4] = -0.5
        btf = one(tmp_path, tiff(pixels, photometric="rgb"), ".tif")
        assert btf.frame(0)[3, 4].tolist() == [-0.5] * 3
        assert btf.values.encode(btf.frame(0))[3, 4].tolist() == [0.0] * 3

    def test_palettes_are_expanded(self, tmp_path: Path) -> None:
        codes = RNG.integers(0, 4, (12, 16), dtype=np.uint8)
        colours = np.zeros((3, 256), dtype=np.uint16)
        colours[:, :4] = RNG.integers(0, 256, (3, 4)) * 257
        btf = one(tmp_path, tiff(codes, photometric="palette", colormap=colours), ".tif")
        np.testing.assert_array_equal(
            btf.frame(0), np.moveaxis(colours[:, codes] // 257, 0, -1).astype(np.uint8)
        )

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_zero_as_white_is_turned_over(self, tmp_path: Path, dtype: type) -> None:
        grey = COLOUR[..., 0].astype(dtype) * (np.iinfo(dtype).max // 255)
        btf = one(tmp_path, tiff(np.iinfo(dtype).max - grey, photometric="miniswhite"), ".tif")
        np.testing.assert_array_equal(btf.frame(0)[..., 0], grey)

    def test_planes_and_compression_are_the_same_image(self, tmp_path: Path) -> None:
        for options in (
            {"photometric": "rgb", "compression": "zlib", "predictor": True},
            {"photometric": "rgb", "tile": (16, 16)},
            {"photometric": "rgb", "bigtiff": True},
        ):
            btf = one(tmp_path, tiff(COLOUR, **options), ".tif")
            np.testing.assert_array_equal(btf.frame(0), COLOUR)
        planes = tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate")
        np.testing.assert_array_equal(one(tmp_path, planes, ".tif").frame(0), COLOUR)

    def test_alpha_is_left_out(self, tmp_path: Path) -> None:
        rgba = np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1)
        btf = one(tmp_path, tiff(rgba, photometric="rgb", extrasamples=["unassalpha"]), ".tif")
        np.testing.assert_array_equal(btf.frame(0), COLOUR)
        assert btf.notes == ("the alpha channel of the images was left out",)

    def test_many_channels(self, tmp_path: Path) -> None:
        spectral = RNG.integers(0, 65536, (12, 16, 9), dtype=np.uint16)
        btf = one(tmp_path, tiff(spectral, photometric="minisblack", planarconfig="contig"), ".tif")
        assert btf.channels == 9
        np.testing.assert_array_equal(btf.frame(0), spectral)

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (tiff(COLOUR[..., 0].astype(np.int32)), "has int32 values, expected 8 or 16 bits"),
            (tiff(COLOUR[..., [0] * 4], photometric="separated"), "has SEPARATED colours"),
            (tiff(COLOUR)[:200], "is incomplete|is damaged or truncated"),
        ],
    )
    def test_what_is_not_read(self, tmp_path: Path, content: bytes, problem: str) -> None:
        with pytest.raises(CaptureError, match=problem):
            one(tmp_path, content, ".tif").frame(0)

    def test_sixteen_bits_stay_sixteen_bits(self, tmp_path: Path) -> None:
        deep = RNG.integers(0, 65536, (12, 16, 3), dtype=np.uint16)
        for content, extension in (
            (tiff(deep, photometric="rgb"), ".tif"),
            (imagecodecs.png_encode(deep), ".png"),
        ):
            (tmp_path / extension[1:]).mkdir()
            btf = one(tmp_path / extension[1:], content, extension)
            assert btf.frame(0).dtype == np.uint16
            np.testing.assert_array_equal(btf.frame(0), deep)


class TestExr:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_colour_and_grey(self, tmp_path: Path, dtype: type) -> None:
        pixels = RADIANCE.astype(dtype)
        btf = one(tmp_path, exr({"RGB": pixels}), ".exr")
        assert btf.frame(0).dtype == dtype
        np.testing.assert_array_equal(btf.frame(0), pixels)
        grey = one(tmp_path, exr({"Y": np.ascontiguousarray(pixels[..., 0])}), ".exr")
        np.testing.assert_array_equal(grey.frame(0), pixels[..., :1])

    def test_alpha_is_left_out(self, tmp_path: Path) -> None:
        rgba = np.concatenate([RADIANCE, RADIANCE[..., :1]], axis=-1)
        btf = one(tmp_path, exr({"RGBA": rgba}), ".exr")
        np.testing.assert_array_equal(btf.frame(0), RADIANCE)
        assert btf.notes == ("the alpha channel of the images was left out",)

    def test_wavelengths_become_channels_in_order(self, tmp_path: Path) -> None:
        planes = {f"w{nm}nm": np.full((4, 5), nm / 100, np.float32) for nm in (1050, 420, 400, 700)}
        btf = one(tmp_path, exr(planes), ".exr")
        assert btf.channel_names == ("400 nm", "420 nm", "700 nm", "1050 nm")
        assert btf.info()["channel_names"] == list(btf.channel_names)
        np.testing.assert_allclose(btf.frame(0)[2, 3], [4.0, 4.2, 7.0, 10.5])

    def test_read_from_a_zip(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/tl0_pl0_tv0_pv0.exr", exr({"RGB": RADIANCE}))
        np.testing.assert_array_equal(read(tmp_path / "a.zip").frame(0), RADIANCE)

    @pytest.mark.parametrize("left", [0.9, 0.5, 0.1])
    def test_truncated(self, tmp_path: Path, left: float) -> None:
        content = exr({"RGB": RADIANCE})
        with pytest.raises(CaptureError, match=r"tl0.*exr: the image is incomplete"):
            one(tmp_path, content[: int(left * len(content))], ".exr").frame(0)

    def test_channels_that_make_no_image(self, tmp_path: Path) -> None:
        plane = np.ones((4, 5), np.float32)
        with pytest.raises(CaptureError, match="has the channels U, V, expected R G B"):
            one(tmp_path, exr({"U": plane, "V": plane}), ".exr")
        with pytest.raises(CaptureError, match="has integer or mixed channels"):
            one(tmp_path, exr({"Y": np.ones((4, 5), np.uint32)}), ".exr")


@pytest.mark.parametrize(
    ("names", "chosen", "left_out"),
    [
        (["B", "G", "R"], ("R", "G", "B"), ""),
        (["A", "B", "G", "R"], ("R", "G", "B"), "alpha channel"),
        (["B", "G", "R", "Z"], ("R", "G", "B"), "channels Z"),
        (["diffuse.B", "diffuse.G", "diffuse.R"], ("diffuse.R", "diffuse.G", "diffuse.B"), ""),
        (["depth"], ("depth",), ""),
        (
            ["B", "G", "R", "S0.400,000000nm", "S0.410,500000nm"],
            ("S0.400,000000nm", "S0.410,500000nm"),
            "channels B, G, R",
        ),
        (
            ["S0.400nm", "S0.500nm", "S1.400nm", "S1.500nm"],
            ("S0.400nm", "S0.500nm"),
            "channels S1.400nm, S1.500nm",
        ),
        (["wavelength430_25", "wavelength400"], ("wavelength400", "wavelength430_25"), ""),
    ],
)
def test_channels_of_an_exr(names: list[str], chosen: tuple[str, ...], left_out: str) -> None:
    found = choose_channels(names)
    assert (found.names, found.left_out) == (chosen, left_out)


@given(st.lists(st.text(min_size=1, max_size=8), max_size=6, unique=True))
def test_any_channels_are_chosen_from_or_refused(names: list[str]) -> None:
    try:
        found = choose_channels(names)
    except ImageFileError:
        return
    assert set(found.names) <= set(names)
    assert len(set(found.names)) == len(found.names) >= 1


class TestRadiance:
    def test_colours_of_any_size(self, tmp_path: Path) -> None:
        btf = one(tmp_path, imagecodecs.rgbe_encode(RADIANCE.astype(np.float32)), ".hdr")
        assert btf.frame(0).dtype == np.float32
        # Shared exponent: 8 bits of the largest of the three.
        largest = RADIANCE.astype(np.float32).max(axis=-1, keepdims=True)
        assert np.all(np.abs(btf.frame(0) - RADIANCE) <= largest / 128)

    @pytest.mark.parametrize("left", [0.99, 0.5, 0.02])
    def test_truncated(self, tmp_path: Path, left: float) -> None:
        content = imagecodecs.rgbe_encode(RADIANCE.astype(np.float32))
        with pytest.raises(CaptureError, match=r"tl0.*hdr: the image is (damaged|incomplete)"):
            one(tmp_path, content[: int(left * len(content))], ".hdr").frame(0)

    def test_an_envi_header_is_no_image(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="is of a format that cannot be read"):
            one(tmp_path, b"ENVI\nsamples = 10\n", ".hdr")


class TestJpeg:
    def test_truncated_at_any_place(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        Image.fromarray(np.kron(COLOUR, np.ones((8, 8, 1), np.uint8))).save(buffer, "JPEG")
        content = buffer.getvalue()
        for length in (len(content) - 1, len(content) - 2, len(content) // 2, 100):
            with pytest.raises(CaptureError, match="the image is"):
                one(tmp_path, content[:length], ".jpg").frame(0)

    def test_bytes_behind_the_end_do_no_harm(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        Image.fromarray(COLOUR).save(buffer, "JPEG")
        plain = one(tmp_path, buffer.getvalue(), ".jpg").frame(0)
        np.testing.assert_array_equal(
            one(tmp_path, buffer.getvalue() + bytes(17), ".jpg").frame(0), plain
        )

    def test_four_inks_become_rgb(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        Image.fromarray(COLOUR).convert("CMYK").save(buffer, "JPEG", quality=100)
        btf = one(tmp_path, buffer.getvalue(), ".jpg")
        assert btf.channels == 3
        assert np.abs(btf.frame(0).astype(int) - COLOUR).mean() < 12


class TestArchives:
    @pytest.mark.parametrize("name", ["../tl0_pl0_tv0_pv0.png", "/x/tl0_pl0_tv0_pv0.png"])
    def test_paths_that_lead_out_are_refused(self, tmp_path: Path, name: str) -> None:
        place = tmp_path / "a.zip"
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr(name, b"")
        with pytest.raises(CaptureError, match="a path that leads out of the archive"):
            read(place)
        assert not recognises(place)

    def test_a_bomb_is_not_unpacked(self, tmp_path: Path) -> None:
        place = tmp_path / "bomb.zip"
        with (
            zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("tl0_pl0_tv0_pv0.bmp", "w", force_zip64=True) as member,
        ):
            for _ in range(1100):
                member.write(bytes(1 << 20))
        assert place.stat().st_size < 2 << 20
        with pytest.raises(CaptureError, match=r"tl0.*bmp: .*unpacks to more than 1 GiB"):
            read(place)

    def test_a_damaged_member_is_named_when_it_is_read(self, tmp_path: Path) -> None:
        place = tmp_path / "a.zip"
        buffer = io.BytesIO()
        Image.fromarray(COLOUR).save(buffer, "BMP")
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("tl0_pl0_tv0_pv0.bmp", buffer.getvalue())
        content = bytearray(place.read_bytes())
        content[400] ^= 255
        place.write_bytes(content)
        with pytest.raises(CaptureError, match=r"tl0.*bmp: it cannot be read \(Bad CRC"):
            read(place).frame(0)


def test_links_in_a_circle_count_no_image_twice(tmp_path: Path) -> None:
    below = tmp_path / "capture" / "views"
    below.mkdir(parents=True)
    Image.fromarray(COLOUR).save(below / "tl0_pl0_tv0_pv0.png")
    (below / "again").symlink_to(tmp_path / "capture")
    (below / "tl9_pl0_tv0_pv0.png").mkdir()
    assert len(read(tmp_path / "capture")) == 1
