from __future__ import annotations

import contextlib
import pickle
import struct
import tracemalloc
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CaptureError
from napari_btf.formats import read, recognises, ubo2014
from napari_btf.formats._ubo2014_header import SIGNATURES

RING = [(0.0, 0.0), (30.0, 0.0), (30.0, 120.0), (30.0, 240.0)]
EPSILON = 1e-5


@dataclass(frozen=True)
class Capture:
    """A file to write, and what is expected of it."""

    signature: str = "!DFMF08FCR"
    views: list[tuple[float, float]] = field(default_factory=lambda: RING[:3])
    """(theta, phi) of each view, degrees."""
    lights: list[list[tuple[float, float]]] = field(default_factory=lambda: [RING] * 3)
    """(theta, phi) of the lights of each view."""
    height: int = 3
    width: int = 5
    channels: int = 3
    components: int = 2
    dtype: str = "<f2"
    colour_model: int = 0
    """In FMF files 12 stands for the reduced range."""
    texels_first: bool = False
    version: int = 4
    extended_version: int = 2
    cosine: int = 0
    xml: bytes = b"<x/>"
    rotations: int = 0
    height_map: tuple[int, int] = (0, 0)
    setup: bytes = b"setup"
    unused: float = 1.0
    """What the numbers are that no reader uses."""

    @property
    def observations(self) -> int:
        return sum(len(lights) for lights in self.lights)

    def factors(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """(rows of observations, rows of texels) of each factor; values of about 1."""
        rng = np.random.default_rng(0)
        parts = self.channels if self.signature.startswith("!DFMF") else 1
        inside = self.channels // parts
        out = []
        for _ in range(parts):
            observations, texels = self.observations, self.height * self.width
            if self.texels_first:
                texels *= inside
            else:
                observations *= inside
            out.append(
                tuple(
                    rng.uniform(-1, 1, (rows, self.components)).astype(self.dtype)
                    for rows in (observations, texels)
                )
            )
        return out  # type: ignore[return-value]

    def to_bytes(self) -> bytes:
        extended = self.signature == "!FMF12FCER"
        body = b"".join(name.ljust(80, b"\0") for name in (self.setup, b"cam", b"led"))
        body += struct.pack("<4f", *[self.unused] * 4)
        if self.version > 1:
            body += struct.pack("<I", self.cosine)
        if self.version > 2:
            body += struct.pack("<I", len(self.xml)) + self.xml
        if self.version > 3:
            body += struct.pack("<I", self.channels) + b"\1\0\0\0R" * self.channels
        out = self.signature.encode()
        out += struct.pack("<II", len(body) + 8, self.version) + body
        out += struct.pack("<I", len(self.views))
        for view, lights in zip(self.views, self.lights, strict=True):
            out += np.deg2rad(view).astype("<f4").tobytes()
            out += struct.pack("<I", len(lights))
            out += np.deg2rad(lights).astype("<f4").tobytes()
        out += struct.pack("<II", self.width, self.height)
        if self.signature.endswith("R"):
            out += struct.pack("<I", self.rotations) + bytes(36 * self.rotations)
        if self.signature.startswith("!DFMF"):
            out += struct.pack("<Ii", self.components, self.colour_model)
            out += struct.pack("<12f", *[self.unused] * 12)
        else:
            if extended:
                out += struct.pack("<B", self.extended_version)
            if extended and self.extended_version > 0:
                out += struct.pack("<I", self.colour_model == 12)
            if extended and self.extended_version > 1:
                out += struct.pack("<II", *self.height_map)
                out += bytes(2 * self.height_map[0] * self.height_map[1])
            out += struct.pack("<I", self.components)
        for observations, texels in self.factors():
            u, v = (texels, observations) if self.texels_first else (observations, texels)
            size = u.dtype.itemsize
            out += struct.pack("<BIII", size, self.components, len(u), len(v))
            out += bytes(size * self.components) + u.tobytes() + v.tobytes()
        return out

    def write(self, path: Path) -> Path:
        path.write_bytes(self.to_bytes())
        return path

    def expected(self) -> NDArray[np.float64]:
        """(N, H, W, C) values, from the definition of the colour models."""
        n, p, c = self.observations, self.height * self.width, self.channels
        products = [
            observations.astype(np.float64) @ texels.astype(np.float64).T
            for observations, texels in self.factors()
        ]
        if len(products) > 1:
            values = np.stack(products, axis=-1)
        elif self.texels_first:
            values = products[0].reshape(n, p, c)
        else:
            values = products[0].reshape(n, c, p).swapaxes(1, 2)
        if self.colour_model == 12:
            values = np.exp(values) - EPSILON
        elif self.colour_model == 11:
            y = np.exp(values[..., 0]) - EPSILON
            u, v = (values[..., i] * (y + EPSILON) for i in (1, 2))
            values = np.stack(
                [y + 1.13983 * v, y - 0.39465 * u - 0.58060 * v, y + 2.03211 * u], axis=-1
            )
        return values.reshape(n, self.height, self.width, c)


def degrees(theta: float = 80.0) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(0, theta), st.floats(0, 360))


@st.composite
def captures(draw: st.DrawFn) -> Capture:
    signature = draw(st.sampled_from(SIGNATURES))
    version = draw(st.integers(1, 4))
    channels = draw(st.sampled_from([1, 3])) if version == 4 else 3
    extended_version = draw(st.integers(0, 2))
    models = [0]
    if signature.startswith("!DFMF"):
        models += [12] + [11] * (channels == 3)
    elif signature == "!FMF12FCER" and extended_version:
        models += [12]
    views = draw(st.lists(degrees(), min_size=1, max_size=3))
    light_lists = st.lists(degrees(), max_size=4)
    lights = draw(st.lists(light_lists, min_size=len(views), max_size=len(views)))
    assume(any(lights))
    capture = Capture(
        signature=signature,
        views=views,
        lights=lights,
        height=draw(st.integers(1, 4)),
        width=draw(st.integers(1, 4)),
        channels=channels,
        components=draw(st.integers(1, 4)),
        dtype=draw(st.sampled_from(["<f2", "<f4", "<f8"])),
        colour_model=draw(st.sampled_from(models)),
        version=version,
        extended_version=extended_version,
        rotations=draw(st.integers(0, 2)),
        height_map=draw(st.tuples(st.integers(0, 3), st.integers(0, 3))),
        xml=draw(st.binary(max_size=300)),
    )
    if capture.observations != capture.height * capture.width and draw(st.booleans()):
        capture = replace(capture, texels_first=True)
    return capture


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is written again and again."""
    return tmp_path_factory.mktemp("ubo2014") / "capture.btf"


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


class TestWrongFiles:
    def refused(self, path: Path, message: str) -> None:
        with pytest.raises(CaptureError, match=message) as caught:
            read(path)
        text = str(caught.value)
        assert text.startswith(str(path))
        assert text.endswith(".")
        assert "\n" not in text

    def test_empty(self, place: Path) -> None:
        place.write_bytes(b"")
        assert not recognises(place)
        self.refused(place, "the file is empty; copy it again")

    @pytest.mark.parametrize("content", [b"II+\0\x08\0\0\0", b"PK\3\4 zip", b"DFMF08FCR", b"\xff"])
    def test_another_kind_of_file(self, place: Path, content: bytes) -> None:
        place.write_bytes(content)
        assert not recognises(place)
        self.refused(place, "no BTF of the University of Bonn .*starts with !DFMF08FCR or !FMF12")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"!PVF06FCR" + bytes(99), r'"!PVF06FCR\?" \(a factorisation per view\) are not read'),
            (b"!PVF06FC" + bytes(99), r'"!PVF06FC\?\?" \(a factorisation per view\)'),
            (b"!BDIF06R2!" + bytes(99), r'"!BDIF06R2!" \(uncompressed images\) are not read'),
            (b"!DFMF09FCR" + bytes(99), '"!DFMF09FCR" are not read; export it as !DFMF08FCR or'),
            (b"!NEW", 'kind "!NEW" are not read'),
            (b"!", 'kind "!" are not read'),
            ("!Übung\n".encode("latin-1"), "kind .* are not read"),
        ],
    )
    def test_a_kind_that_is_not_read(self, place: Path, content: bytes, message: str) -> None:
        place.write_bytes(content)
        assert recognises(place)
        self.refused(place, message)

    def test_other_files_with_an_exclamation_mark_are_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "library.a").write_bytes(b"!<arch>\n")
        assert not recognises(tmp_path / "library.a")
        Capture().write(tmp_path / "renamed.dat")
        assert recognises(tmp_path / "renamed.dat")
        assert len(read(tmp_path / "renamed.dat")) == 12

    def test_a_folder_and_nothing_at_all(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder.btf"
        folder.mkdir()
        assert not ubo2014.recognises(folder)
        assert not ubo2014.recognises(tmp_path / "nowhere.btf")
        self.refused(folder, "there is no image in it")
        for path in (folder, tmp_path / "nowhere.btf"):
            with pytest.raises(CaptureError, match="cannot be read"):
                ubo2014.read(path)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), 30.0, -2.0])
    def test_directions(self, place: Path, value: float) -> None:
        bad = (np.rad2deg(value), 0.0)
        self.refused(
            Capture(lights=[RING, [*RING[:3], bad], RING]).write(place),
            "the light of observation 7 has theta .*a polar angle lies between -90 and 90",
        )
        self.refused(
            Capture(views=[RING[0], bad, RING[1]]).write(place),
            "the view of observation 4 has theta",
        )

    def test_a_grazing_light_is_not_below_the_surface(self, place: Path) -> None:
        btf = read(Capture(lights=[[(90.0, 0.0)]] * 3).write(place))
        np.testing.assert_allclose(btf.light, [[1, 0, 0]] * 3, atol=1e-6)

    def test_no_observations(self, place: Path) -> None:
        self.refused(Capture(views=[], lights=[]).write(place), "it has no observations")
        self.refused(Capture(lights=[[], [], []]).write(place), "it has no observations")

    @pytest.mark.parametrize(
        ("capture", "message"),
        [
            (Capture(height=0), "the images are 5 x 0 texels"),
            (Capture(channels=31), "31 channels, only grey and RGB"),
            (Capture("!FMF06FC", channels=0), "0 channels"),
            (Capture(colour_model=3), r"colour model is 3 \(principal components\), only 0 \(RGB"),
            (Capture(colour_model=-1), r"colour model is 4294967295 \(unknown\)"),
            (Capture(colour_model=11, channels=1), "colour model is 11 .*has one channel"),
            (Capture("!FMF12FCER", extended_version=3), "extended header is of version 3"),
            (Capture(version=5), "header is of version 5, versions 1 to 4 are known"),
            (Capture(components=0), "factors have no components"),
        ],
    )
    def test_what_is_not_read(self, place: Path, capture: Capture, message: str) -> None:
        self.refused(capture.write(place), message)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ((2, 2, 12, 15), (3, 2, 12, 15), "values of 3 bytes, expected 2, 4 or 8"),
            ((2, 2, 12, 15), (2, 2, 15, 15), "have 15 and 15 rows, expected 12 and 15"),
            ((2, 2, 12, 15), (2, 1 << 31, 12, 15), "file ends within its factors"),
        ],
    )
    def test_sizes_of_the_factors(
        self, place: Path, old: tuple[int, ...], new: tuple[int, ...], message: str
    ) -> None:
        content = Capture().to_bytes()
        assert struct.pack("<BIII", *old) in content
        place.write_bytes(content.replace(struct.pack("<BIII", *old), struct.pack("<BIII", *new)))
        self.refused(place, message)

    def test_a_header_of_another_length(self, place: Path) -> None:
        content = bytearray(Capture().to_bytes())
        content[10] += 1
        place.write_bytes(content)
        self.refused(place, "header takes 295 bytes where it says 296")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_values_that_are_not_finite_are_named_when_they_are_read(
        self, place: Path, value: float
    ) -> None:
        content = bytearray(Capture("!FMF06FC", dtype="<f4").to_bytes())
        at = len(content) - 4 * 2 * (36 + 15)  # the first value of U
        content[at : at + 4] = struct.pack("<f", value)
        place.write_bytes(content)
        btf = read(place)
        with pytest.raises(CaptureError, match="observation 0 has values that are not finite"):
            btf.frame(0)
        assert np.isfinite(btf.frame(1)).all()

    def test_a_file_that_goes_away_or_changes(self, tmp_path: Path) -> None:
        path = Capture().write(tmp_path / "capture.btf")
        btf = read(path)
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(CaptureError, match="the file changed since it was opened"):
            btf.frame(0)
        path.write_bytes(b"")
        with pytest.raises(CaptureError, match="the file changed since it was opened"):
            btf.frame(0)
        path.unlink()
        with pytest.raises(CaptureError, match=r"cannot be read \(No such file"):
            btf.frame(0)


@given(captures(), st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_a_file_cut_anywhere_is_refused(place: Path, capture: Capture, part: float) -> None:
    content = capture.to_bytes()
    place.write_bytes(content[: int(part * len(content))])
    recognises(place)
    with pytest.raises(CaptureError):
        read(place)


@given(captures(), st.data())
@settings(deadline=None)
def test_a_damaged_file_is_refused_or_read(
    place: Path, capture: Capture, data: st.DataObject
) -> None:
    content = bytearray(capture.to_bytes())
    at = data.draw(st.integers(0, len(content) - 4))
    content[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    place.write_bytes(content)
    try:
        btf = read(place)
        frames = np.stack(list(btf.iter_frames()))
    except CaptureError:
        return
    assert frames.shape[:1] == btf.light.shape[:1] == btf.view.shape[:1]
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("signature", SIGNATURES)
def test_no_size_in_the_header_makes_it_allocate_more_than_the_file(
    place: Path, signature: str
) -> None:
    capture = Capture(signature)
    content = capture.to_bytes()
    read(capture.write(place))  # everything it needs is imported
    names = len(signature) + 8
    places = [*range(len(signature), names), *range(names + 240, len(content) - 4)]
    tracemalloc.start()
    try:
        for at in places:
            place.write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            with contextlib.suppress(CaptureError):
                read(place)
            assert tracemalloc.get_traced_memory()[1] - before < 1 << 20
    finally:
        tracemalloc.stop()
