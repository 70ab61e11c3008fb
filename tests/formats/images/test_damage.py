"""Image files that are cut off, filled with zeros, damaged, or claim more than they hold."""

from __future__ import annotations

import io
import random
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import psutil
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError, UsageError
from napari_btf.formats import read
from napari_btf.formats.images.files import decode, header
from napari_btf.formats.images.types import ImageFileError
from napari_btf.relighting.environments import find_environment

OpenEXR = pytest.importorskip("OpenEXR")

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8)
RADIANCE = RNG.gamma(1.0, 2.0, (40, 48, 3)).astype(np.float32)


def pillow(kind: str, pixels: np.ndarray = COLOUR, **options: object) -> bytes:
    """A file that Pillow writes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(**options: object) -> bytes:
    """A TIFF file in strips."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, COLOUR, photometric="rgb", rowsperstrip=8, **options)
    return buffer.getvalue()


def exr(compression: str = "ZIP", pixels: np.ndarray = RADIANCE) -> bytes:
    """An OpenEXR file."""
    about = {
        "compression": getattr(OpenEXR, f"{compression}_COMPRESSION"),
        "type": OpenEXR.scanlineimage,
    }
    buffer = io.BytesIO()
    OpenEXR.File(about, {"RGB": pixels}).write(buffer)
    return buffer.getvalue()


def rgbe(pixels: np.ndarray) -> bytes:
    """A Radiance file; noise takes more room than the encoder reserves."""
    return bytes(imagecodecs.rgbe_encode(pixels, out=8 * pixels.size))


def one(folder: Path, content: bytes, extension: str) -> BTF:
    """A capture of one image."""
    (folder / f"tl0_pl0_tv0_pv0{extension}").write_bytes(content)
    return read(folder)


def half_zeros(content: bytes) -> bytes:
    """A copy that broke off where the disk had reserved the space."""
    half = len(content) // 2
    return content[:half] + bytes(len(content) - half)


COMPLETE = {
    "a.jpg": pillow("JPEG"),
    "progressive.jpg": pillow("JPEG", progressive=True),
    "optimised.jpg": pillow("JPEG", optimize=True),
    "a.png": pillow("PNG"),
    "deep.png": bytes(imagecodecs.png_encode(COLOUR.astype(np.uint16) * 257)),
    "a.webp": pillow("WEBP"),
    "packed.tga": pillow("TGA", compression="tga_rle"),
    "zlib.tif": tiff(compression="zlib"),
    "lzw.tif": tiff(compression="lzw"),
    "jpeg.tif": tiff(compression="jpeg"),
    "packbits.tif": tiff(compression="packbits"),
    "a.hdr": rgbe(RADIANCE),
    "zip.exr": exr(),
    "none.exr": exr("NO"),
    "piz.exr": exr("PIZ"),
    "dwaa.exr": exr("DWAA"),
}
MORE = {
    "a.bmp": pillow("BMP"),
    "a.tga": pillow("TGA"),
    "a.gif": pillow("GIF"),
    "a.ppm": pillow("PPM"),
    "none.tif": tiff(),
    "tiles.tif": tiff(tile=(16, 16)),
    "rle.exr": exr("RLE"),
    "pxr24.exr": exr("PXR24"),
    "b44.exr": exr("B44", RADIANCE.astype(np.float16)),
}


class TestIncomplete:
    @pytest.mark.parametrize("name", COMPLETE)
    def test_whole_files_are_read(self, name: str) -> None:
        assert decode(COMPLETE[name]).shape == (40, 48, 3)

    @pytest.mark.parametrize("name", COMPLETE)
    def test_a_second_half_of_zeros(self, name: str) -> None:
        if name == "none.exr":
            pytest.xfail("zeros that are not compressed may be black")
        with pytest.raises(ImageFileError, match=r"incomplete|damaged"):
            decode(half_zeros(COMPLETE[name]))

    @pytest.mark.parametrize("name", COMPLETE)
    @pytest.mark.parametrize("left", [0.9, 0.5])
    def test_cut_off(self, name: str, left: float) -> None:
        content = COMPLETE[name]
        with pytest.raises(ImageFileError, match=r"incomplete|damaged"):
            decode(content[: int(left * len(content))])

    def test_a_hole_in_a_jpeg(self) -> None:
        content = COMPLETE["a.jpg"]
        with pytest.raises(ImageFileError, match="is incomplete: a part of its pixels is filled"):
            decode(content[:1000] + bytes(1024) + content[2024:])

    @pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
    def test_black_is_no_hole(self, options: dict[str, bool]) -> None:
        black = np.zeros((600, 600, 3), np.uint8)
        for pixels in (black, black[..., 0]):
            assert not decode(pillow("JPEG", pixels, **options)).any()

    def test_skip_bad_leaves_it_out(self, tmp_path: Path) -> None:
        for i in range(3):
            (tmp_path / f"tl{i}0_pl0_tv0_pv0.jpg").write_bytes(COMPLETE["a.jpg"])
        (tmp_path / "tl70_pl0_tv0_pv0.jpg").write_bytes(half_zeros(COMPLETE["a.jpg"]))
        with pytest.raises(CaptureError, match=r"tl70.*jpg: the image is incomplete"):
            read(tmp_path).frame(3)
        left = read(tmp_path, skip_bad=True)
        assert len(left) == 3
        assert "1 images were left out" in left.notes[0]


def claims() -> dict[str, bytes]:
    """Small files that claim gigabytes."""
    jpeg = bytearray(COMPLETE["a.jpg"])
    at = jpeg.find(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 32000, 64000)
    head = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    png = bytearray(COMPLETE["a.png"])
    png[16:29], png[29:33] = head, struct.pack(">I", zlib.crc32(b"IHDR" + head))
    bmp = bytearray(MORE["a.bmp"])
    bmp[18:26] = struct.pack("<ii", 30000, 30000)
    tga = bytearray(COMPLETE["packed.tga"])
    tga[12:16] = struct.pack("<HH", 60000, 60000)
    gif = bytearray(MORE["a.gif"])
    gif[6:10] = struct.pack("<HH", 60000, 60000)
    webp = b"RIFF\x20\0\0\0WEBPVP8L\x14\0\0\0\x2f" + b"\xff" * 20
    hdr = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 18000 +X 18000\n\2\2\x11\x11"
    content = COMPLETE["zip.exr"]
    window = struct.pack("<4i", 0, 0, 47, 39)
    wide = struct.pack("<4i", 0, 0, 1 << 20, 39)
    return {
        "a.jpg": bytes(jpeg),
        "a.png": bytes(png),
        "a.bmp": bytes(bmp),
        "a.tga": bytes(tga),
        "a.gif": bytes(gif),
        "a.webp": webp,
        "a.hdr": hdr,
        "a.exr": content.replace(window, wide),
        "display.exr": content.replace(b"displayWindow\0box2i\0\x10\0\0\0" + window,
                                       b"displayWindow\0box2i\0\x10\0\0\0"
                                       + struct.pack("<4i", 0, 0, 1 << 16, 1 << 16)),
        "a.tif": _large_tiff(1),
        "tiles.tif": _large_tiff(8),
    }  # fmt: skip


def _large_tiff(compression: int) -> bytes:
    packed = zlib.compress(bytes(1 << 12))
    tags = [(256, 60000), (257, 60000), (258, 8), (259, compression), (262, 1), (273, 122)]
    tags += [(277, 1), (278, 60000), (279, len(packed))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 9) + entries + bytes(4) + packed


class TestClaims:
    @pytest.mark.parametrize("name", claims())
    def test_are_refused_at_opening(self, name: str) -> None:
        content = claims()[name]
        for attempt in (lambda: header(io.BytesIO(content)), lambda: decode(content)):
            with pytest.raises(ImageFileError) as caught:
                attempt()
            assert len(str(caught.value)) < 250

    def test_of_an_environment(self, tmp_path: Path) -> None:
        place = tmp_path / "sky.jpg"
        place.write_bytes(claims()["a.jpg"])
        with pytest.raises(UsageError, match=r"its header claims 2.0 GB of pixels"):
            find_environment(place)

    def test_large_photographs_without_detail_open(self, tmp_path: Path) -> None:
        width, height = 20000, 15000
        packer = zlib.compressobj(9)
        start = packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH)
        rows = packer.compress(bytes(100 * (1 + width))) + packer.flush(zlib.Z_FULL_FLUSH)
        block = start + rows * (height // 100)
        png = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
            for kind, body in (
                (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
                (b"IDAT", block),
                (b"IEND", b""),
            )
        )
        assert len(png) < 400_000
        assert one(tmp_path, png, ".png").frames.shape == (1, height, width, 1)


class TestOpenExr:
    @pytest.mark.parametrize("name", ["ZIP", "ZIPS", "NO", "RLE", "PIZ", "PXR24", "DWAA", "B44"])
    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_all_compressions(self, name: str, dtype: type) -> None:
        pixels = np.ascontiguousarray(np.cumsum(RADIANCE, axis=1)[:39] / 48).astype(dtype)
        found = decode(exr(name, pixels))
        assert found.dtype == dtype
        exact = name in ("ZIP", "ZIPS", "NO", "RLE", "PIZ")
        np.testing.assert_allclose(found, pixels, rtol=0 if exact else 0.1, atol=0 if exact else 1)

    def test_opening_reads_headers_only(self, tmp_path: Path) -> None:
        content = bytearray(exr())
        content[-6000:] = bytes(6000)
        btf = one(tmp_path, bytes(content), ".exr")
        assert btf.frames.shape == (1, 40, 48, 3)
        with pytest.raises(CaptureError, match=r"tl0.*exr: the image is damaged"):
            btf.frame(0)

    def test_a_crash_of_the_library_is_one_sentence(self) -> None:
        content = COMPLETE["piz.exr"]
        decode(content)
        (worker,) = [p for p in psutil.Process().children() if "worker.py" in p.cmdline()[-1]]
        worker.suspend()
        threading.Timer(0.2, worker.kill).start()
        with pytest.raises(ImageFileError, match="the OpenEXR library crashed"):
            decode(content)
        np.testing.assert_array_equal(decode(content), RADIANCE)

    def test_names_of_channels(self, tmp_path: Path) -> None:
        planes = {c: np.ascontiguousarray(RADIANCE[..., i]) for i, c in enumerate("rgb")}
        assert np.array_equal(decode(_planes(planes)), RADIANCE)
        eyes = {f"{eye}.{c.upper()}": p for eye in ("left", "right") for c, p in planes.items()}
        btf = one(tmp_path, _planes(eyes), ".exr")
        assert np.array_equal(btf.frame(0), RADIANCE)
        assert btf.notes == ("the channels right.B, right.G, right.R of the images was left out",)
        chroma = dict.fromkeys(("Y", "RY", "BY"), planes["r"])
        with pytest.raises(ImageFileError, match="has the channels BY, RY, Y, expected"):
            decode(_planes(chroma))

    @pytest.mark.parametrize("compression", ["ZIP", "PIZ"])
    def test_tiles_and_parts(self, compression: str) -> None:
        kind = getattr(OpenEXR, f"{compression}_COMPRESSION")
        tiles = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize = 16, 32
        about = {"compression": kind, "type": OpenEXR.tiledimage, "tiles": tiles}
        buffer = io.BytesIO()
        OpenEXR.File(about, {"RGB": RADIANCE}).write(buffer)
        np.testing.assert_array_equal(decode(buffer.getvalue()), RADIANCE)
        lines = {"compression": kind, "type": OpenEXR.scanlineimage}
        parts = [
            OpenEXR.Part({**lines, "name": name}, {"RGB": pixels}, name)
            for name, pixels in (("beauty", RADIANCE), ("albedo", RADIANCE[::-1].copy()))
        ]
        buffer = io.BytesIO()
        OpenEXR.File(parts).write(buffer)
        content = buffer.getvalue()
        np.testing.assert_array_equal(decode(content), RADIANCE)
        assert header(io.BytesIO(content)).left_out == "parts albedo"

    def test_windows_place_the_pixels(self, tmp_path: Path) -> None:
        for i, (top, rows) in enumerate(((0, 40), (4, 36), (-3, 20))):
            content = _cropped(RADIANCE[:rows], top)
            (tmp_path / f"tl{i}0_pl0_tv0_pv0.exr").write_bytes(content)
        btf = read(tmp_path)
        np.testing.assert_array_equal(btf.frame(0), RADIANCE)
        np.testing.assert_array_equal(btf.frame(1)[4:], RADIANCE[:36])
        assert not btf.frame(1)[:4].any()
        np.testing.assert_array_equal(btf.frame(2)[:17], RADIANCE[3:20])
        assert not btf.frame(2)[17:].any()
        assert any("2 of 3 images cover a part of their frame" in note for note in btf.notes)
        with pytest.raises(ImageFileError, match="outside the visible frame"):
            decode(_cropped(RADIANCE, 100))


def _planes(planes: dict[str, np.ndarray]) -> bytes:
    about = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    buffer = io.BytesIO()
    # The library changes the dictionary that it is given.
    OpenEXR.File(about, dict(planes)).write(buffer)
    return buffer.getvalue()


def _cropped(pixels: np.ndarray, top: int) -> bytes:
    """An OpenEXR file whose data window is moved down within 48 x 40 pixels."""
    content = exr("NO", pixels)
    rows = len(pixels)
    for name, first, last in (("dataWindow", top, top + rows - 1), ("displayWindow", 0, 39)):
        mark = name.encode() + b"\0box2i\0\x10\0\0\0"
        at = content.index(mark) + len(mark)
        content = content[:at] + struct.pack("<4i", 0, first, 47, last) + content[at + 16 :]
    changed = bytearray(content)
    table = len(content) - rows * (8 + 8 + 48 * 12)
    for i in range(rows):
        (offset,) = struct.unpack_from("<Q", changed, table + 8 * i)
        struct.pack_into("<i", changed, offset, top + i)
    return bytes(changed)


class TestRadiance:
    def body(self, pixels: np.ndarray) -> bytes:
        """The pixels as they are stored."""
        content = rgbe(np.ascontiguousarray(pixels))
        return content[content.index(b"+X") :].partition(b"\n")[2]

    def file(self, pixels: np.ndarray, size: str = "-Y 40 +X 48", lines: str = "") -> bytes:
        """A file with more lines in its header."""
        return f"#?RADIANCE\n{lines}FORMAT=32-bit_rle_rgbe\n\n{size}\n".encode() + self.body(pixels)

    def test_exposure_is_removed(self, tmp_path: Path) -> None:
        plain = decode(self.file(RADIANCE))
        lines = "EXPOSURE=2\nEXPOSURE= 4.0\nCOLORCORR=1 2 0.5\n"
        btf = one(tmp_path, self.file(RADIANCE, lines=lines), ".hdr")
        np.testing.assert_allclose(btf.frame(0), plain / [8, 16, 4], rtol=1e-6)
        assert "the images state EXPOSURE; their values were divided by it" in btf.notes
        assert np.array_equal(decode(self.file(RADIANCE, lines="EXPOSURE=1\n")), plain)

    @pytest.mark.parametrize("line", ["EXPOSURE=0", "EXPOSURE=x", "FORMAT=32-bit_rle_xyze"])
    def test_what_is_refused(self, line: str) -> None:
        with pytest.raises(ImageFileError, match=r"states EXPOSURE|has pixels of the format"):
            decode(self.file(RADIANCE, lines=f"{line}\n"))

    def test_primaries_are_noted(self, tmp_path: Path) -> None:
        wide = "PRIMARIES=0.708 0.292 0.170 0.797 0.131 0.046 0.3127 0.3290\n"
        assert header(io.BytesIO(self.file(RADIANCE, lines=wide))).said
        usual = "PRIMARIES=0.640 0.330 0.300 0.600 0.150 0.060 0.3127 0.3290\n"
        assert not header(io.BytesIO(self.file(RADIANCE, lines=usual))).said

    @pytest.mark.parametrize(
        ("size", "stored"),
        [
            ("+Y 40 +X 48", lambda x: x[::-1]),
            ("-Y 40 -X 48", lambda x: x[:, ::-1]),
            ("+Y 40 -X 48", lambda x: x[::-1, ::-1]),
            ("+X 48 -Y 40", lambda x: np.moveaxis(x, 0, 1)),
            ("-X 48 +Y 40", lambda x: np.moveaxis(x[::-1, ::-1], 0, 1)),
        ],
    )
    def test_orientation(self, size: str, stored: Callable[[np.ndarray], np.ndarray]) -> None:
        found = decode(self.file(stored(RADIANCE), size))
        np.testing.assert_array_equal(found, decode(self.file(RADIANCE)))

    def test_pixels_that_are_not_packed(self) -> None:
        flat = np.full((6, 5, 4), (128, 64, 32, 129), np.uint8)
        content = b"#?RGBE\n\n-Y 6 +X 5\n" + flat.tobytes()
        np.testing.assert_array_equal(decode(content), np.full((6, 5, 3), (1, 0.5, 0.25)))
        with pytest.raises(ImageFileError, match="is incomplete, or packed in the way"):
            decode(content[:-1])


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(COMPLETE | MORE)), st.integers(0, 1 << 32))
def test_damaged_images_are_read_or_refused(name: str, seed: int) -> None:
    content = (COMPLETE | MORE)[name]
    changed = bytearray(content)
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 2, 4))):
        within = len(changed) if rng.random() < 0.5 else min(400, len(changed))
        number = rng.choice((0, 1, 127, 255, 32768, 2**31 - 1, 2**32 - 1, rng.getrandbits(32)))
        raw = number.to_bytes(4, rng.choice(("little", "big")))[: rng.choice((1, 2, 4))]
        at = rng.randrange(within)
        changed[at : at + len(raw)] = raw
    if rng.random() < 0.2:
        del changed[rng.randrange(len(changed)) :]
    try:
        found = header(io.BytesIO(changed))
        pixels = decode(bytes(changed))
    except ImageFileError as error:
        problem = str(error)
    else:
        problem = ""
        assert pixels.shape == (found.height, found.width, found.channels)
    assert len(problem) < 250
