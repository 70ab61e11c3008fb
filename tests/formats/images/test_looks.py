"""What images say about themselves: orientation, colour profiles, bits and pages."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError
from napari_btf.formats import read

RNG = np.random.default_rng(0)
COLOUR = np.kron(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
DEEP = COLOUR.astype(np.uint16) * 257

#: Turns the upright image into the stored one, for each orientation.
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


def capture(folder: Path, extension: str, *contents: bytes) -> BTF:
    """A capture of these images."""
    for i, content in enumerate(contents):
        (folder / f"tl{i}_pl0_tv0_pv0{extension}").write_bytes(content)
    return read(folder)


def saved(pixels: np.ndarray, kind: str, tag: int | None = None, **options: object) -> bytes:
    """An image that Pillow writes."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    if tag is not None:
        exif[274] = tag
        options["exif"] = exif.tobytes()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """A TIFF file of one image or stack."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def pages(*written: tuple[np.ndarray, dict[str, object]]) -> bytes:
    """A TIFF file of several pages."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for pixels, options in written:
            file.write(pixels, **options)
    return buffer.getvalue()


def oriented(pixels: np.ndarray, kind: str, tag: int) -> bytes:
    """An image of a kind with an orientation tag."""
    if kind == "TIFF":
        return tiff(
            np.ascontiguousarray(pixels), photometric="rgb", extratags=[(274, "H", 1, tag, True)]
        )
    if kind == "PNG at its end":
        content = saved(pixels, "PNG")
        exif = Image.Exif()
        exif[274] = tag
        body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return content[:-12] + chunk + content[-12:]
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    return saved(pixels, kind, tag, **options.get(kind, {}))


class TestOrientation:
    @pytest.mark.parametrize("tag", range(1, 9))
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "PNG at its end", "WEBP", "TIFF"])
    def test_images_are_upright(self, tmp_path: Path, kind: str, tag: int) -> None:
        extension = {"JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp"}.get(kind, ".png")
        btf = capture(tmp_path, extension, oriented(STORED[tag](COLOUR), kind, tag))
        assert (btf.height, btf.width) == COLOUR.shape[:2]
        difference = np.abs(btf.frame(0).astype(int) - COLOUR).max()
        assert difference <= (8 if kind == "JPEG" else 0)
        expected = () if tag == 1 else ("the images were turned upright by their orientation tag",)
        assert btf.notes == expected

    @pytest.mark.parametrize("tag", [0, 9, 60000])
    def test_values_beyond_the_standard_turn_nothing(self, tmp_path: Path, tag: int) -> None:
        btf = capture(tmp_path, ".jpg", saved(COLOUR, "JPEG", tag))
        assert (btf.height, btf.width, btf.notes) == (*COLOUR.shape[:2], ())

    def test_a_damaged_block_turns_nothing(self, tmp_path: Path) -> None:
        content = saved(COLOUR, "JPEG", 6).replace(b"MM\0*\0\0\0\x08", b"MM\0*\xff\xff\xff\xff")
        assert capture(tmp_path, ".jpg", content).notes == ()

    @pytest.mark.parametrize(("one", "other"), [(1, 3), (6, 8), (3, 3), (2, 4)])
    def test_images_that_were_stored_turned_follow_their_tags(
        self, tmp_path: Path, one: int, other: int
    ) -> None:
        tags = [one, other, one, other, one]
        lit = [(COLOUR * (0.4 + 0.1 * i)).astype(np.uint8) for i in range(5)]
        contents = [saved(STORED[t](x), "PNG", t) for t, x in zip(tags, lit, strict=True)]
        btf = capture(tmp_path, ".png", *contents)
        for i, upright in enumerate(lit):
            np.testing.assert_array_equal(btf.frame(i), upright)
        (note,) = btf.notes
        count = sum(tag != 1 for tag in tags)
        some = "the images" if count == 5 else f"{count} of 5 images"
        assert note == f"{some} were turned upright by their orientation tag"

    @pytest.mark.parametrize(("usual", "odd"), [(1, 3), (6, 8)])
    def test_a_sensor_that_wavered_turns_no_image_alone(
        self, tmp_path: Path, usual: int, odd: int
    ) -> None:
        lit = [(COLOUR * (0.4 + 0.1 * i)).astype(np.uint8) for i in range(5)]
        tags = [usual, odd, usual, usual, odd]
        contents = [saved(STORED[usual](x), "PNG", t) for t, x in zip(tags, lit, strict=True)]
        btf = capture(tmp_path, ".png", *contents)
        for i, upright in enumerate(lit):
            np.testing.assert_array_equal(btf.frame(i), upright)
        (note,) = btf.notes
        assert note.startswith("the orientation tags of the images differ")

    def test_upright_images_of_different_sizes_are_refused(self, tmp_path: Path) -> None:
        contents = [saved(COLOUR, "PNG", tag) for tag in (1, 1, 6)]
        with pytest.raises(CaptureError, match=r"tl2.*turned by its orientation tag 6"):
            capture(tmp_path, ".png", *contents)


def profile(name: str = "wide", gamma: float = 2.2, swapped: bool = False) -> bytes:
    """An RGB profile with one exponent; ``swapped`` has red and green exchanged."""
    red, green = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708)
    blue = (
        0.14307,
        0.06061,
        0.71410,
    )
    if swapped:
        red, green = green, red

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + bytes(79)
    tags = {b"desc": described, b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"rXYZ": xyz(red)}
    tags |= {b"gXYZ": xyz(green), b"bXYZ": xyz(blue)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    place, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for key, value in tags.items():
        content = value + bytes(-len(value) % 4)
        table += key + struct.pack(">II", place + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s6H", place + len(body), b"lcms", 0x02100000, b"mntr", b"RGB ",
                       b"XYZ ", 2020, 1, 1, 0, 0, 0)  # fmt: skip
    head += (
        b"acsp"
        + bytes(28)
        + b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1.0, 0.8249))
    )
    return head.ljust(128, b"\0") + table + body


WIDE = profile(swapped=True)
CONVERTED = 'the images were converted from their colour profile "wide" to sRGB'


def converted(pixels: np.ndarray) -> np.ndarray:
    """The same conversion by another library."""
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels), io.BytesIO(WIDE), ImageCms.createProfile("sRGB"), 1
    )
    return np.asarray(image)


class TestColourProfiles:
    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
    def test_pixels_become_srgb(self, tmp_path: Path, kind: str) -> None:
        extension = {"JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp"}.get(kind, ".png")
        options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
        content = saved(COLOUR, kind, icc_profile=WIDE, **options.get(kind, {}))
        btf = capture(tmp_path, extension, content)
        difference = np.abs(btf.frame(0).astype(int) - converted(COLOUR)).max()
        assert difference <= (24 if kind == "JPEG" else 1)
        assert btf.notes == (CONVERTED,)

    def test_sixteen_bits_stay_sixteen_bits(self, tmp_path: Path) -> None:
        content = tiff(DEEP, photometric="rgb", iccprofile=WIDE)
        btf = capture(tmp_path, ".tif", content)
        assert btf.frame(0).dtype == np.uint16
        assert np.abs(btf.frame(0) / 257.0 - converted(COLOUR)).max() < 1
        assert btf.notes == (CONVERTED,)

    def test_a_turned_image_is_converted_too(self, tmp_path: Path) -> None:
        content = saved(STORED[6](COLOUR), "PNG", 6, icc_profile=WIDE)
        btf = capture(tmp_path, ".png", content)
        assert np.abs(btf.frame(0).astype(int) - converted(COLOUR)).max() <= 1
        assert len(btf.notes) == 2

    def test_grey_images(self, tmp_path: Path) -> None:
        grey = COLOUR[..., 0]
        for name, content in (
            ("rgb", profile("wide", 1.0)),
            ("grey", bytes(imagecodecs.cms_profile("gray", gamma=1.0))),
        ):
            (tmp_path / name).mkdir()
            btf = capture(tmp_path / name, ".png", saved(grey, "PNG", icc_profile=content))
            linear = grey / 255.0
            curve = np.where(
                linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
            )
            assert np.abs(btf.frame(0)[..., 0] - 255 * curve).max() <= 2
            assert "to sRGB" in btf.notes[0]

    def test_srgb_changes_nothing(self, tmp_path: Path) -> None:
        for i, content in enumerate(
            (
                ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
                bytes(imagecodecs.cms_profile("srgb")),
            )
        ):
            (tmp_path / str(i)).mkdir()
            btf = capture(tmp_path / str(i), ".png", saved(COLOUR, "PNG", icc_profile=content))
            np.testing.assert_array_equal(btf.frame(0), COLOUR)
            assert btf.notes == ()

    def test_a_name_alone_makes_no_srgb(self, tmp_path: Path) -> None:
        content = saved(COLOUR, "PNG", icc_profile=profile("sRGB", gamma=1.0))
        btf = capture(tmp_path, ".png", content)
        assert btf.notes == ('the images were converted from their colour profile "sRGB" to sRGB',)

    @pytest.mark.parametrize(
        "damaged",
        [
            WIDE[:100],
            WIDE[:300],
            b"x" * 500,
            WIDE[:12] + b"link" + WIDE[16:],
            WIDE[:136] + b"\xff\xff\xff\xff" + WIDE[140:],
            WIDE[:128] + b"\xff\xff\xff\xff" + WIDE[132:],
            WIDE.replace(b"curv", b"none"),
        ],
    )
    def test_a_damaged_profile_is_a_note(self, tmp_path: Path, damaged: bytes) -> None:
        btf = capture(tmp_path, ".tif", tiff(COLOUR, photometric="rgb", iccprofile=damaged))
        np.testing.assert_array_equal(btf.frame(0), COLOUR)
        (note,) = btf.notes
        assert note.endswith("that was not applied, because it is damaged")

    def test_a_huge_profile_is_a_note(self, tmp_path: Path) -> None:
        content = tiff(COLOUR, photometric="rgb", iccprofile=WIDE + bytes(4 << 20))
        (note,) = capture(tmp_path, ".tif", content).notes
        assert note.endswith("because it is larger than 4 MiB")

    def test_profiles_that_do_not_suit_are_not_applied(self, tmp_path: Path) -> None:
        for name, pixels, why in (
            ("float", (COLOUR / 255).astype(np.float32), "floating point values count as linear"),
            ("four", np.concatenate([DEEP, DEEP[..., :1]], -1), "the images have 4 channels"),
        ):
            (tmp_path / name).mkdir()
            form = {"photometric": "rgb" if name == "float" else "minisblack"}
            content = tiff(pixels, planarconfig="contig", iccprofile=WIDE, **form)
            btf = capture(tmp_path / name, ".tif", content)
            np.testing.assert_array_equal(btf.frame(0), pixels)
            assert why in btf.notes[0]

    def test_images_with_different_profiles_are_counted(self, tmp_path: Path) -> None:
        plain, wide = saved(COLOUR, "PNG"), saved(COLOUR, "PNG", icc_profile=WIDE)
        btf = capture(tmp_path, ".png", plain, plain, wide)
        assert btf.notes == (CONVERTED.replace("the images", "1 of 3 images"),)

    def test_gamma_and_primaries_of_a_png(self, tmp_path: Path) -> None:
        plain = saved(COLOUR, "PNG")

        def with_chunk(kind: bytes, *values: int) -> bytes:
            body = kind + struct.pack(f">{len(values)}I", *values)
            chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
            return plain[:33] + chunk + plain[33:]

        srgb = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
        for name, chunk, said in (
            ("linear", (b"gAMA", 100000), "state a gamma of 1/1"),
            ("usual", (b"gAMA", 45455), ""),
            ("srgb", (b"cHRM", *srgb), ""),
            ("wide", (b"cHRM", *srgb[:4], 21000, 71000, *srgb[6:]), "state primaries"),
        ):
            (tmp_path / name).mkdir()
            notes = capture(tmp_path / name, ".png", with_chunk(*chunk)).notes
            assert len(notes) == bool(said)
            assert said in "".join(notes)

    def test_four_inks_are_said(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        Image.fromarray(COLOUR).convert("CMYK").save(buffer, "JPEG")
        (note,) = capture(tmp_path, ".jpg", buffer.getvalue()).notes
        assert note.startswith("the images have four inks (CMYK)")


class TestBits:
    @pytest.mark.parametrize("bits", [10, 12, 14])
    def test_fewer_bits_are_scaled_to_sixteen(self, tmp_path: Path, bits: int) -> None:
        most = (1 << bits) - 1
        pixels = (COLOUR.astype(np.uint16) * (most // 255)).astype(np.uint16)
        pixels[0, 0] = 0, 1, most
        content = tiff(pixels, photometric="rgb", bitspersample=bits)
        btf = capture(tmp_path, ".tif", content)
        np.testing.assert_array_equal(btf.frame(0), np.rint(pixels * (65535 / most)))
        assert btf.notes == (f"the images have {bits} bits and were scaled to 16",)

    def test_four_bits_become_eight(self, tmp_path: Path) -> None:
        grey = COLOUR[..., 0] >> 4
        btf = capture(tmp_path, ".tif", tiff(grey, photometric="minisblack", bitspersample=4))
        np.testing.assert_array_equal(btf.frame(0)[..., 0], grey * 17)

    def test_twelve_bits_with_zero_as_white(self, tmp_path: Path) -> None:
        grey = COLOUR[..., 0].astype(np.uint16) * 16
        content = tiff(4095 - grey, photometric="miniswhite", bitspersample=12)
        btf = capture(tmp_path, ".tif", content)
        np.testing.assert_array_equal(btf.frame(0)[..., 0], np.rint(grey * (65535 / 4095)))


class TestPages:
    @pytest.mark.parametrize("stated", [True, False])
    @pytest.mark.parametrize("first", [True, False])
    def test_a_small_version_is_not_the_image(
        self, tmp_path: Path, first: bool, stated: bool
    ) -> None:
        small = COLOUR[::8, ::8], {"photometric": "rgb", "subfiletype": int(stated)}
        full = DEEP, {"photometric": "rgb"}
        content = pages(small, full) if first else pages(full, small)
        np.testing.assert_array_equal(capture(tmp_path, ".tif", content).frame(0), DEEP)

    def test_a_mask_is_not_the_image(self, tmp_path: Path) -> None:
        mask = COLOUR[..., 0] > 99, {"photometric": "minisblack", "subfiletype": 4}
        content = pages(mask, (COLOUR, {"photometric": "rgb"}))
        np.testing.assert_array_equal(capture(tmp_path, ".tif", content).frame(0), COLOUR)

    @pytest.mark.parametrize(
        "options",
        [
            {"imagej": True, "metadata": {"axes": "CYX"}},
            {"ome": True, "metadata": {"axes": "CYX"}},
            {"photometric": "minisblack", "metadata": {"axes": "CYX"}},
        ],
    )
    def test_channels_in_pages(self, tmp_path: Path, options: dict[str, object]) -> None:
        content = tiff(np.ascontiguousarray(np.moveaxis(DEEP, -1, 0)), **options)
        np.testing.assert_array_equal(capture(tmp_path, ".tif", content).frame(0), DEEP)

    @pytest.mark.parametrize(
        "options",
        [
            {"imagej": True, "metadata": {"axes": "ZYX"}},
            {"imagej": True, "metadata": {"axes": "TYX"}},
            {"ome": True, "metadata": {"axes": "ZYX"}},
            {"photometric": "minisblack"},
            {"photometric": "minisblack", "metadata": None},
        ],
    )
    def test_several_images_are_refused(self, tmp_path: Path, options: dict[str, object]) -> None:
        content = tiff(np.ascontiguousarray(np.moveaxis(DEEP, -1, 0)), **options)
        with pytest.raises(CaptureError, match="expected one image per file; save each") as raised:
            capture(tmp_path, ".tif", content)
        assert len(str(raised.value)) - len(str(tmp_path)) < 300

    @pytest.mark.parametrize(
        ("options", "channels"),
        [
            ({"photometric": "minisblack"}, 4),
            ({"photometric": "minisblack", "extrasamples": (0, 0, 2)}, 3),
            ({"photometric": "rgb", "extrasamples": ("unspecified",)}, 4),
            ({"photometric": "rgb", "extrasamples": ("unassalpha",)}, 3),
        ],
    )
    @pytest.mark.parametrize("planes", ["contig", "separate"])
    def test_four_bands(
        self, tmp_path: Path, options: dict[str, object], channels: int, planes: str
    ) -> None:
        four = np.concatenate([DEEP, DEEP[..., :1]], axis=-1)
        stored = four if planes == "contig" else np.ascontiguousarray(np.moveaxis(four, -1, 0))
        content = tiff(stored, planarconfig=planes, **options)
        btf = capture(tmp_path, ".tif", content)
        np.testing.assert_array_equal(btf.frame(0), four[..., :channels])

    @pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32, np.complex64])
    def test_values_that_are_not_read(self, tmp_path: Path, dtype: type) -> None:
        content = tiff(COLOUR[..., 0].astype(dtype), photometric="minisblack")
        with pytest.raises(CaptureError, match="convert the images to unsigned integers of 16"):
            capture(tmp_path, ".tif", content)


def test_a_film_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    images = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    images[0].save(buffer, "WEBP", save_all=True, append_images=images[1:])
    with pytest.raises(CaptureError, match="is a film of several images"):
        capture(tmp_path, ".webp", buffer.getvalue())


class TestForeignKinds:
    @pytest.mark.parametrize(
        ("start", "what", "remedy"),
        [
            (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC image", "convert the images to TIFF or PNG"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0", "is a HEIC image", "convert"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "is an AVIF image", "convert"),
            (b"\0\0\0\x18ftypcrx \0\0\0\0", "is a raw photograph", "develop"),
            (b"\xff\x0a\xfa\x1f", "is a JPEG XL image", "convert"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "is a JPEG 2000 image", "convert"),
            (b"II*\0\x10\0\0\0CR\x02\0", "is a raw photograph", "develop"),
            (b"FUJIFILMCCD-RAW 0201", "is a raw photograph", "develop"),
            (b"IIRO\x08\0\0\0", "is a raw photograph", "develop"),
            (b"IIU\0\x18\0\0\0", "is a raw photograph", "develop"),
            (b"<!DOCTYPE html><html>", "is a web page", "download"),
            (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS", "git lfs"),
            (b"8BPS\0\x01", "is a Photoshop document", "convert"),
        ],
    )
    def test_they_are_named(self, tmp_path: Path, start: bytes, what: str, remedy: str) -> None:
        with pytest.raises(CaptureError, match=f"the image {what}.*{remedy}") as raised:
            capture(tmp_path, ".jpg", start + bytes(300))
        assert "copy it again" not in str(raised.value)

    def test_a_tiff_with_only_a_preview_is_raw(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer) as file:
            file.write(COLOUR[::8, ::8], photometric="rgb", subfiletype=1, subifds=1)
            file.write(DEEP[..., 0], photometric="minisblack")
        with pytest.raises(CaptureError, match="is a raw photograph"):
            capture(tmp_path, ".tif", buffer.getvalue())

    def test_a_dng_is_raw(self, tmp_path: Path) -> None:
        content = tiff(COLOUR, photometric="rgb", extratags=[(50706, "B", 4, (1, 4, 0, 0), True)])
        with pytest.raises(CaptureError, match="is a raw photograph"):
            capture(tmp_path, ".tif", content)
