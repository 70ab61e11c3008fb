"""RTI captures: images and an .lp file."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from lp_files import LIGHTS, Vectors, text_of
from npe2 import PluginManifest
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.directions import angle_between
from napari_btf.errors import CaptureError
from napari_btf.formats import image_folder, read, recognises
from napari_btf.formats.rti import reader as rti
from napari_btf.plugin.reader import get_reader

ROOT = Path(__file__).parents[3]
Write = Callable[..., Path]


def images(folder: Path, names: Sequence[str], size: tuple[int, int] = (6, 5)) -> None:
    """Grey images, the i-th of the value i + 1 everywhere."""
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, i + 1).save(path)


@pytest.fixture
def capture(tmp_path: Path) -> Write:
    """Write five images and an .lp file: ``capture(in_file=..., on_disk=..., lp="dirs.lp")``."""

    def write(
        in_file: Sequence[str] | None = None,
        on_disk: Sequence[str] = ("a.png", "b.png", "c.png", "d.png", "e.png"),
        lights: Vectors = LIGHTS,
        lp: str = "dirs.lp",
        text: str | None = None,
    ) -> Path:
        folder = tmp_path / "capture"
        images(folder, on_disk)
        path = folder / lp
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(in_file or on_disk, lights) if text is None else text, "utf-8")
        return folder

    return write


def zipped(folder: Path, archive: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, inside + path.relative_to(folder).as_posix())
    return archive


def values(btf: BTF) -> list[int]:
    return [int(btf.frame(i)[0, 0, 0]) for i in range(len(btf))]


def test_a_folder(capture: Write) -> None:
    folder = capture()
    btf = read(folder)
    assert btf.info() == {
        "format": "RTI folder",
        "images": 5,
        "views": 1,
        "lights": 5,
        "height": 5,
        "width": 6,
        "channels": 1,
        "dtype": "uint8",
        "bytes": 5 * 5 * 6,
        "missing_pairs": 0,
        "duplicate_pairs": 0,
    }
    assert btf.notes == ()
    assert (btf.source, btf.name) == (str(folder), "capture")
    assert values(btf) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(btf.light, LIGHTS)
    np.testing.assert_array_equal(btf.view, np.tile([0, 0, 1], (5, 1)))


def test_observations_are_in_the_order_of_the_file(capture: Write) -> None:
    btf = read(capture(in_file=["c.png", "a.png", "e.png", "d.png", "b.png"]))
    assert values(btf) == [3, 1, 5, 4, 2]
    np.testing.assert_allclose(btf.light, LIGHTS)


@pytest.mark.parametrize("inside", ["", "capture/"])
def test_a_zip_reads_the_same(capture: Write, tmp_path: Path, inside: str) -> None:
    archive = zipped(capture(), tmp_path / "capture.zip", inside)
    assert recognises(archive)
    btf = read(archive)
    assert (btf.format, btf.source, btf.name) == ("RTI zip", str(archive), "capture")
    assert values(btf) == [1, 2, 3, 4, 5]
    assert btf.notes == ()


def test_the_file_itself(capture: Write) -> None:
    path = capture() / "dirs.lp"
    assert recognises(path)
    btf = read(path)
    assert (btf.format, btf.source) == ("RTI folder", str(path.parent))
    assert values(btf) == [1, 2, 3, 4, 5]
    assert get_reader(str(path)) is not None


def test_napari_offers_the_reader_for_lp_files() -> None:
    manifest = PluginManifest.from_file(ROOT / "src" / "napari_btf" / "napari.yaml")
    readers = manifest.contributions.readers or ()
    (reader,) = (reader for reader in readers if "*.lp" in reader.filename_patterns)
    assert reader.command == "napari-btf.get_reader"


@pytest.mark.parametrize(
    ("lp", "pattern", "on_disk", "note"),
    [
        ("dirs.lp", "jpg/{}.png", "jpg/{}.png", None),
        ("dirs.lp", "./{}.png", "{}.png", None),
        ("dirs.lp", "jpg\\{}.png", "jpg/{}.png", "in spite of backslashes"),
        ("dirs.lp", "C:\\rti\\jpg\\{}.png", "jpg/{}.png", '"C:\\rti\\jpg\\a.png" is "jpg/a.png"'),
        ("dirs.lp", "/home/x/{}.png", "{}.png", '"/home/x/a.png" is "a.png" (and 4 more)'),
        ("dirs.lp", "file:///x/{}.png", "{}.png", 'is "a.png" (and 4 more)'),
        ("dirs.lp", "{}.png", "deep/er/{}.png", '"a.png" is "deep/er/a.png" (and 4 more)'),
        ("dirs.lp", "{}.JPG", "{}.jpg", 'differ from their names in dirs.lp: "a.JPG" is "a.jpg"'),
        ("dirs.LP", "{}.png", "{}.png", None),
        ("dirs.lp", "IMG {} 1.png", "img {} 1.png", '"IMG a 1.png" is "img a 1.png"'),
        ("dirs.lp", "\u00e9{}.png", "e\u0301{}.png", "(and 4 more)"),
        ("lp/x.lp", "{}.png", "lp/{}.png", None),
        ("lp/x.lp", "jpg/{}.png", "jpg/{}.png", None),
        ("lp/x.lp", "../jpg/{}.png", "jpg/{}.png", None),
        ("lp/x.lp", "D:\\A b\\capture\\jpg\\{}.png", "jpg/{}.png", '\\jpg\\a.png" is "jpg/a.png"'),
    ],
)
def test_images_are_found(
    capture: Write, tmp_path: Path, lp: str, pattern: str, on_disk: str, note: str | None
) -> None:
    folder = capture(
        in_file=[pattern.format(x) for x in "abcde"],
        on_disk=[on_disk.format(x) for x in "abcde"],
        lp=lp,
    )
    for path in (folder, zipped(folder, tmp_path / "x.zip", "x/")):
        assert recognises(path)
        btf = read(path)
        assert values(btf) == [1, 2, 3, 4, 5]
        if note is None:
            assert btf.notes == ()
        elif path.is_dir():
            assert any(note in found for found in btf.notes), btf.notes


def test_same_file_names_in_two_folders_are_told_apart(capture: Write) -> None:
    on_disk = ["jpg/1/a.png", "jpg/1/b.png", "jpg/2/a.png", "jpg/2/b.png", "thumbs/a.png"]
    given_names = [f"E:\\x\\{name}".replace("/", "\\") for name in on_disk[:4]]
    btf = read(capture(in_file=given_names, on_disk=on_disk))
    assert values(btf) == [1, 2, 3, 4]
    assert 'images that dirs.lp does not name were left out: "thumbs/a.png"' in btf.notes


def test_an_image_that_only_lies_elsewhere_too_is_missing(capture: Write) -> None:
    folder = capture()
    images(folder / "thumbs", [f"{x}.png" for x in "abcde"], size=(2, 2))
    (folder / "c.png").unlink()
    with pytest.raises(CaptureError, match=r'of the 5 images it names, 1 cannot be found \("c.png'):
        read(folder)


def test_alpha_unused_images_and_lengths_are_noted(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "normals.png"):
        Image.new("RGBA", (4, 4), (9, 8, 7, 6)).save(tmp_path / name)
    (tmp_path / "dirs.lp").write_text("2\na.png 0 0 2\nb.png 0 0.3 0.4\n")
    btf = read(tmp_path)
    assert btf.notes == (
        'images that dirs.lp does not name were left out: "normals.png"',
        "the vectors in dirs.lp are 0.5 to 2 long and were normalised",
        "the alpha channel of the images was left out",
    )
    assert btf.frame(1)[0, 0].tolist() == [9, 8, 7]
    np.testing.assert_allclose(btf.light, [[0, 0, 1], [0, 0.6, 0.8]])


def test_reading_is_lazy(capture: Write) -> None:
    folder = capture()
    btf = read(folder)
    (folder / "b.png").unlink()
    with pytest.raises(CaptureError, match=r"b\.png: it cannot be read"):
        btf.frame(1)
    assert values(btf.select([0, 2])) == [1, 3]


class TestSeveralLightFiles:
    def test_the_one_whose_images_are_there(self, capture: Write) -> None:
        folder = capture(lp="z.lp")
        (folder / "a.lp").write_text(text_of(["x.png", "y.png"]))
        (folder / "b.lp").write_text("nonsense")
        btf = read(folder)
        assert values(btf) == [1, 2, 3, 4, 5]
        assert btf.notes == (
            '"z.lp" was used, not "a.lp", "b.lp": it is the only one whose images all exist',
        )
        with pytest.raises(CaptureError, match=r"a\.lp: none of the 2 images"):
            read(folder / "a.lp")

    def test_the_one_of_the_most_images(self, capture: Write) -> None:
        folder = capture(lp="z.lp")
        (folder / "a.lp").write_text(text_of(["a.png", "b.png"]))
        (folder / "sub").mkdir()
        (folder / "sub" / "z.lp").write_text(text_of(["a.png", "b.png", "c.png", "d.png", "e.png"]))
        btf = read(folder)
        assert len(btf) == 5
        assert btf.notes[0].startswith('"z.lp" was used, not "a.lp", "sub/z.lp": its images all')
        assert values(read(folder / "a.lp")) == [1, 2]

    def test_none_that_can_be_used(self, capture: Write) -> None:
        folder = capture(lp="z.lp", in_file=["1.png", "2.png"])
        (folder / "sub").mkdir()
        (folder / "sub" / "a.lp").write_text("nonsense")
        with pytest.raises(CaptureError, match=r"z\.lp: none of the 2 images"):
            read(folder)

    def test_several_captures_in_one_folder(self, capture: Write, tmp_path: Path) -> None:
        folder = capture()
        both = tmp_path / "both"
        for name in ("Dome", "Test"):
            shutil.copytree(folder, both / name)
        assert recognises(both)
        with pytest.raises(CaptureError, match=r'2 RTI captures, in its folders "Dome", "Test"; o'):
            read(both)
        archive = zipped(both, tmp_path / "both.zip", "both/")
        with pytest.raises(CaptureError, match="unpack it and open one of these"):
            read(archive)

    def test_a_missing_image_is_not_taken_from_the_next_capture(
        self, capture: Write, tmp_path: Path
    ) -> None:
        folder = capture()
        both = tmp_path / "both"
        for name in ("Dome", "Test"):
            shutil.copytree(folder, both / name)
        (both / "Dome" / "c.png").unlink()
        btf = read(both)
        assert '"Test/dirs.lp" was used, not "Dome/dirs.lp": it is the only' in btf.notes[0]
        assert values(btf) == [1, 2, 3, 4, 5]


class TestAnglesInTheNames:
    def test_they_come_first_and_the_light_file_is_noted(self, write_capture: Write) -> None:
        folder = write_capture()
        names = sorted(path.name for path in folder.iterdir())
        (folder / "dirs.lp").write_text(text_of(names[:5]))
        btf = read(folder)
        assert (btf.format, len(btf)) == ("image folder", 12)
        assert btf.notes == (
            '"dirs.lp" was not used, because the image names give the angles; '
            "open the .lp file itself to use it",
        )
        assert read(folder / "dirs.lp").format == "RTI folder"
        assert len(read(folder / "dirs.lp")) == 5
        archive = zipped(folder, folder.parent / "x.zip")
        assert read(archive).notes == (
            '"dirs.lp" was not used, because the image names give the angles',
        )

    def test_a_folder_with_neither_is_told_of_both(self, tmp_path: Path) -> None:
        images(tmp_path, ["a.png"])
        assert not recognises(tmp_path)
        with pytest.raises(CaptureError, match=r"rename the images.* or add the \.lp file"):
            read(tmp_path)


class TestWrongCaptures:
    def test_no_light_file(self, tmp_path: Path) -> None:
        images(tmp_path, ["a.png"])
        with pytest.raises(CaptureError, match=r"there is no \.lp file in it; expected a file"):
            rti.read(tmp_path)

    def test_a_broken_zip(self, tmp_path: Path) -> None:
        path = tmp_path / "x.zip"
        path.write_bytes(b"PK no zip")
        assert not rti.recognises(path)
        with pytest.raises(CaptureError, match=r"x\.zip: it cannot be opened"):
            rti.read(path)

    def test_a_damaged_light_file_in_a_zip(self, capture: Write, tmp_path: Path) -> None:
        archive = zipped(capture(), tmp_path / "x.zip")
        data = archive.read_bytes()
        archive.write_bytes(data.replace(b"a.png 0 0 1", b"a.png 0 0 2"))
        with pytest.raises(CaptureError, match=r"dirs\.lp: it cannot be read \(Bad CRC-32"):
            read(archive)

    def test_absent_images(self, capture: Write) -> None:
        folder = capture(in_file=["a.png", "b.png", "c.png", "x.png", "y.png"])
        with pytest.raises(CaptureError) as caught:
            read(folder)
        assert str(caught.value) == (
            f"{folder / 'dirs.lp'}: of the 5 images it names, 2 cannot be found "
            '("x.png", "y.png"); put them back, remove their lines, or leave them out with '
            "--skip-bad."
        )

    def test_no_image_at_all(self, capture: Write) -> None:
        folder = capture(in_file=["v.CR2", "w.CR2", "x.CR2", "y.CR2", "z.CR2"])
        with pytest.raises(CaptureError) as caught:
            read(folder)
        assert str(caught.value) == (
            f"{folder / 'dirs.lp'}: none of the 5 images it names can be found "
            '("v.CR2", "w.CR2", "x.CR2" and 2 more); put the images (JPEG, PNG, TIFF, EXR...) '
            "beside the .lp file or into a folder beside it, or open the folder that contains both."
        )
        for path in folder.glob("*.png"):
            path.unlink()
        with pytest.raises(CaptureError, match="none of the 5 images"):
            read(folder)

    @pytest.mark.parametrize("again", ["b.png", "./b.png", "B.PNG", "C:\\x\\b.png"])
    def test_an_image_named_twice(self, capture: Write, again: str) -> None:
        folder = capture(in_file=["a.png", "b.png", "c.png", again, "e.png"])
        with pytest.raises(CaptureError, match=r'lines 3 and 5 both name the image "b.png"; keep'):
            read(folder)

    @pytest.mark.parametrize("name", ["/", "..", "C:", ".", "\\\\", "../../etc/passwd"])
    def test_names_that_are_no_image(self, capture: Write, name: str) -> None:
        folder = capture(in_file=["a.png", name])
        with pytest.raises(CaptureError, match="1 cannot be found"):
            read(folder)

    def test_what_is_wrong_in_the_file_names_it(self, capture: Write) -> None:
        folder = capture(text="1\na.png 0 0 -1\n")
        with pytest.raises(
            CaptureError, match=r"capture/dirs\.lp: the light of line 2 lies behind"
        ):
            read(folder)

    def test_a_huge_file(self, capture: Write) -> None:
        folder = capture(text="x" * (5 << 20))
        with pytest.raises(CaptureError, match=r"dirs\.lp: it is larger than 4 MB"):
            read(folder)

    def test_images_of_different_sizes(self, capture: Write) -> None:
        folder = capture()
        Image.new("L", (7, 5)).save(folder / "d.png")
        with pytest.raises(CaptureError, match=r"d\.png: the image is 7 x 5 grey"):
            read(folder)

    def test_recognising_never_raises(self, tmp_path: Path) -> None:
        (tmp_path / "folder.lp").mkdir()
        (tmp_path / "deep" / "er").mkdir(parents=True)
        (tmp_path / "deep" / "er" / "dirs.lp").write_text("1\n")
        (tmp_path / "deep" / "._dirs.lp").write_text("1\n")
        for path in (
            tmp_path,
            tmp_path / "folder.lp",
            tmp_path / "none.lp",
            tmp_path / "none.zip",
            Path("a\0b.lp"),
            Path("http://x/y.lp"),
        ):
            assert not rti.recognises(path)
        assert rti.recognises(tmp_path / "deep")


class TestRealCaptures:
    def test_a_dome_with_a_folder_in_its_names(self, data_dir: Path, tmp_path: Path) -> None:
        folder = data_dir / "rti" / "loewenkopf" / "data"
        btf = read(folder)
        info = btf.info()
        assert (info["images"], info["lights"], info["views"]) == (240, 240, 1)
        assert (btf.width, btf.height, btf.notes) == (64, 43, ())
        np.testing.assert_allclose(btf.light[0], [-0.0019357, -0.1472046, 0.9891042], atol=1e-6)
        first = folder / "jpg" / "Loewenkopf_klein_0001.jpg"
        np.testing.assert_array_equal(btf.frame(0), np.asarray(Image.open(first)))
        # The folder above, and a zip of that, hold the same capture.
        archive = zipped(folder.parent, tmp_path / "x.zip", "loewenkopf/")
        for other in (read(folder.parent), read(archive)):
            assert other.notes == ()
            np.testing.assert_array_equal(other.light, btf.light)
            np.testing.assert_array_equal(other.frame(239), btf.frame(239))

    def test_synthetic_sets(self, data_dir: Path) -> None:
        sets = sorted((data_dir / "rti" / "synthrti").glob("*/*/*"))
        assert len(sets) == 3
        for folder in sets:
            dome, test = read(folder / "Dome"), read(folder / "Test")
            assert (len(dome), len(test)) == (49, 20)
            assert (dome.width, dome.height) == (320, 320)
            assert dome.notes == ('images that dirs.lp does not name were left out: "normals.png"',)
            with pytest.raises(CaptureError, match='2 RTI captures, in its folders "Dome", "Test"'):
                read(folder)

    def test_vectors_that_are_not_of_unit_length(self, data_dir: Path) -> None:
        folder = data_dir / "rti" / "realrti"
        btf = read(folder / "item1")
        assert (len(btf), btf.notes) == (60, ())
        btf = read(folder / "item11")
        assert len(btf) == 54
        assert btf.notes == ("the vectors in dirs.lp are 0.795 to 1.06 long and were normalised",)
        np.testing.assert_allclose(np.linalg.norm(btf.light, axis=1), 1)

    def test_the_lit_side_is_where_the_light_is(self, data_dir: Path) -> None:
        """Dome images explain test images best under the directions as they stand."""
        folder = data_dir / "rti" / "synthrti" / "Multi" / "Object1" / "material1"
        dome, test = read(folder / "Dome").in_memory(), read(folder / "Test").in_memory()

        def error(flip: Sequence[int]) -> float:
            nearest = [
                int(np.argmin(angle_between(dome.light, light * flip))) for light in test.light
            ]
            apart = test.frames.astype(float) - dome.frames[nearest].astype(float)
            return float(np.mean(apart**2))

        assert error((1, 1, 1)) < min(error((-1, 1, 1)), error((1, -1, 1)))


def test_angle_names_are_not_the_matter_of_this_reader(capture: Write) -> None:
    folder = capture()
    assert not image_folder.recognises(folder)
    assert rti.recognises(folder)
