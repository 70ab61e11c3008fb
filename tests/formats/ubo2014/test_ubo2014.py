"""BTF files of the University of Bonn: what they hold is read."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from ubo2014_files import EPSILON, Capture, captures

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.formats import read, recognises


class TestReference:
    """Against what an independent reader, btf-extractor, made of the same files."""

    @pytest.mark.parametrize(
        ("name", "kind"), [("tiny_dfmf", "DFMF08FCR"), ("tiny_fmf12", "FMF12FCER")]
    )
    def test_values_and_directions(self, data_dir: Path, name: str, kind: str) -> None:
        path = data_dir / "ubo2014-tiny" / f"{name}.btf"
        expected = np.load(path.with_name(f"{name}_expected.npz"))
        btf = read(path)
        assert recognises(path)
        assert btf.info() == {
            "format": f"UBO2014 {kind}",
            "images": 16,
            "views": 4,
            "lights": 4,
            "height": 4,
            "width": 6,
            "channels": 3,
            "dtype": "float32",
            "bytes": 16 * 4 * 6 * 3 * 4,
            "missing_pairs": 0,
            "duplicate_pairs": 0,
            "mm_per_texel": pytest.approx(0.1),
        }
        assert btf.notes == ()
        assert btf.values.largest == 1
        angles = expected["angles_tl_pl_tv_pv"]
        # That reader lists the pairs lights outermost; the file has the views outermost.
        order = np.arange(16).reshape(4, 4).T.ravel()
        np.testing.assert_allclose(btf.light[order], angles_to_vectors(*angles[:, :2].T), atol=1e-6)
        np.testing.assert_allclose(btf.view[order], angles_to_vectors(*angles[:, 2:].T), atol=1e-6)
        # It counts the rows from the bottom.
        upside_down = np.stack(list(btf.iter_frames()))[order, ::-1]
        np.testing.assert_allclose(upside_down, expected["images_rgb"], rtol=1e-6, atol=1e-7)


@given(captures())
@example(Capture())
@example(Capture("!FMF06FC", texels_first=True))
@settings(deadline=None)
def test_what_was_written_is_read(place: Path, capture: Capture) -> None:
    btf = read(capture.write(place))
    assert recognises(place)
    assert btf.format == f"UBO2014 {capture.signature[1:]}"
    assert btf.frames.dtype == np.float32

    expected = capture.expected()
    frames = np.stack(list(btf.iter_frames()))
    assert frames.shape == expected.shape
    np.testing.assert_allclose(frames, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    near = {"rtol": 1e-5, "atol": 1e-5 * np.abs(expected).max()}
    np.testing.assert_allclose(btf.frame(len(btf) - 1), frames[-1], **near)
    # All observations of some texels at once, and of some observations only.
    yx = np.argwhere(np.ones(frames.shape[1:3]))[::-2]
    abrdfs = expected[:, yx[:, 0], yx[:, 1]].swapaxes(0, 1)
    np.testing.assert_allclose(btf.texels(yx), abrdfs, **near)
    some = btf.select(np.arange(len(btf))[::-2])
    np.testing.assert_allclose(some.texels(yx), abrdfs[:, ::-2], **near)
    np.testing.assert_allclose(np.stack(list(some.iter_frames())), frames[::-2], **near)

    light = [angle for lights in capture.lights for angle in lights]
    view = [view for view, own in zip(capture.views, capture.lights, strict=True) for _ in own]
    np.testing.assert_allclose(btf.light, angles_to_vectors(*np.transpose(light)), atol=1e-6)
    np.testing.assert_allclose(btf.view, angles_to_vectors(*np.transpose(view)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(btf.light, axis=1), 1)


def test_it_is_a_btf_like_any_other(place: Path) -> None:
    capture = Capture()
    btf = read(capture.write(place))
    expected = capture.expected().astype(np.float32)
    np.testing.assert_allclose(np.stack(list(btf.iter_frames())), expected, atol=1e-6)
    np.testing.assert_allclose(btf.texels([[2, 4]])[0], expected[:, 2, 4], atol=1e-6)
    np.testing.assert_allclose(btf.in_memory().frames, expected, atol=1e-6)
    np.testing.assert_allclose(np.asarray(btf.stack())[2, 3], expected[11], atol=1e-6)
    np.testing.assert_allclose(btf.select([5, 2]).frame(1), expected[2], atol=1e-6)
    assert isinstance(btf, BTF)
    assert str(btf).startswith("<BTF 'capture.btf': 12 observations of 5 x 3 texels, 3 channels")


def test_values_of_a_bright_texel_are_not_clipped(place: Path) -> None:
    capture = Capture(colour_model=12, components=1, height=1, width=1, dtype="<f4")
    content = bytearray(capture.to_bytes())
    content[-4:] = struct.pack("<f", 8.0)
    place.write_bytes(content)
    observations = capture.factors()[2][0].astype(np.float64)
    expected = np.exp(8 * observations[:, 0]) - EPSILON
    assert expected.max() > 100
    np.testing.assert_allclose(
        np.stack(list(read(place).iter_frames()))[:, 0, 0, 2], expected, rtol=1e-4
    )


def test_fewer_components_than_stored(place: Path) -> None:
    """The first of two numbers says how many are to be used, the second how many there are."""
    capture = Capture("!FMF06FCR", components=3)
    content = capture.to_bytes()
    start = content.rindex(struct.pack("<IBI", 3, 2, 3))
    place.write_bytes(content[:start] + struct.pack("<I", 1) + content[start + 4 :])
    observations, texels = capture.factors()[0]
    expected = observations[:, :1].astype(np.float64) @ texels[:, :1].astype(np.float64).T
    expected = expected.reshape(-1, 3, 15).swapaxes(1, 2).reshape(-1, 3, 5, 3)
    np.testing.assert_allclose(np.stack(list(read(place).iter_frames())), expected, rtol=1e-5)


def test_the_size_of_the_header_may_begin_with_the_letter_of_the_other_kind(place: Path) -> None:
    for setup in (b"", b"lab"):
        capture = Capture("!FMF06FC", version=3, setup=setup, xml=bytes(66))
        assert capture.to_bytes().startswith(b"!FMF06FCR")
        btf = read(capture.write(place))
        assert btf.format == "UBO2014 FMF06FC"
        np.testing.assert_allclose(np.stack(list(btf.iter_frames())), capture.expected(), atol=1e-5)


def test_what_is_left_out_is_noted(place: Path) -> None:
    capture = Capture("!FMF12FCER", cosine=1, height_map=(4, 2))
    place.write_bytes(capture.to_bytes() + b"end")
    assert read(place).notes == (
        "the values contain the cosine of the light's polar angle",
        "a height map of 4 x 2 values was left out",
        "3 bytes after the last factor were left out",
    )
    assert read(Capture(rotations=2).write(place)).notes == (
        "2 rotations of local coordinate frames were left out",
    )


def test_numbers_nobody_uses_may_be_anything(place: Path) -> None:
    btf = read(Capture(unused=float("nan")).write(place))
    np.testing.assert_allclose(np.stack(list(btf.iter_frames())), Capture().expected(), atol=1e-6)


class TestMemory:
    @pytest.fixture
    def large(self, place: Path) -> Path:
        """16 MiB of factors of which next to nothing lies on the disk."""
        capture = Capture("!FMF06FC", height=1, width=1, components=128)
        content = capture.to_bytes()
        header = content[: content.index(struct.pack("<BIII", 2, 128, 36, 1)) - 12]
        rows = 256 * 256
        header += struct.pack("<IIIBIII", 256, 256, 128, 2, 128, 36, rows)
        place.write_bytes(header)
        with place.open("r+b") as file:
            file.truncate(len(header) + 2 * 128 * (1 + 36 + rows))
        return place

    def test_of_a_frame_is_that_of_a_few_frames(self, large: Path) -> None:
        read(large)  # everything it needs is imported
        tracemalloc.start()
        try:
            btf = read(large)
            opened = tracemalloc.get_traced_memory()[1]
            frame = btf.frame(3)
            decoded = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert frame.shape == (256, 256, 3)
        assert not frame.any()
        assert opened < 1 << 20
        assert decoded < opened + 5 * frame.nbytes

    def test_the_lazy_frames_are_sent_to_another_process_without_the_factors(
        self, large: Path
    ) -> None:
        sent = pickle.dumps(read(large).frames)
        assert len(sent) < 1 << 20
        assert pickle.loads(sent)[0].shape == (256, 256, 3)


@pytest.mark.parametrize(
    ("per_mm", "size"), [(20.0, 0.05), (0.0, None), (-1.0, None), (np.nan, None), (1e-40, None)]
)
def test_the_size_of_a_texel(tmp_path: Path, per_mm: float, size: float | None) -> None:
    found = read(Capture(unused=per_mm).write(tmp_path / "a.btf")).mm_per_texel
    assert found == (None if size is None else pytest.approx(size))
