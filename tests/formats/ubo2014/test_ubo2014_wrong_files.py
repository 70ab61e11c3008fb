"""BTF files of the University of Bonn that are damaged, or of other kinds."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ubo2014_files import RING, Capture, captures

from napari_btf.errors import CaptureError
from napari_btf.formats import read, recognises
from napari_btf.formats.ubo2014 import reader as ubo2014
from napari_btf.formats.ubo2014.header import SIGNATURES


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
        self.refused(place, "not a BTF of the University .*starts with !DFMF08FCR or !FMF12")

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
        self.refused(place, "header takes 295 bytes, but states 296")

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
