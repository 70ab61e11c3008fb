from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_btf.errors import UsageError
from napari_btf.export.images import resized, write_image
from napari_btf.export.movies import write_movie
from napari_btf.formats.images import files as _images
from napari_btf.progress import Progress, finish
from napari_btf.values import to_linear


def frames(count: int = 6, height: int = 21, width: int = 33) -> list[np.ndarray]:
    """A bright bar that moves."""
    found = np.full((count, height, width, 3), 40, dtype=np.uint8)
    for i in range(count):
        found[i, :, 5 * i : 5 * i + 5] = (250, 120, 30)
    return list(found)


def test_a_folder_of_images(tmp_path: Path) -> None:
    reports: list[Progress] = []
    out = tmp_path / "new" / "frames"
    assert finish(write_movie(out, iter(frames()), 6), reports.append) == out
    assert [report.step for report in reports] == [0, 1, 2, 3, 4, 5, 6]
    assert sorted(path.name for path in out.iterdir()) == [f"{i:04d}.png" for i in range(6)]
    for i, frame in enumerate(frames()):
        with Image.open(out / f"{i:04d}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), frame)
    with pytest.raises(UsageError, match="it exists already"):
        finish(write_movie(out, frames(), 6))
    (tmp_path / "empty").mkdir()
    finish(write_movie(tmp_path / "empty", frames(), 6))
    assert len(list((tmp_path / "empty").iterdir())) == 6


def test_gif(tmp_path: Path) -> None:
    out = tmp_path / "movie.gif"
    finish(write_movie(out, frames(), 6, fps=30))
    with Image.open(out) as movie:
        assert (movie.n_frames, movie.size, movie.info["loop"]) == (6, (33, 21), 0)
        durations = []
        for i, frame in enumerate(frames()):
            movie.seek(i)
            durations.append(movie.info["duration"])
            shown = np.asarray(movie.convert("RGB")).astype(int)
            assert np.abs(shown - frame).mean() < 3
    # A fifth of a second, in hundredths.
    assert sum(durations) == 200
    grey = [frame[..., :1].astype(np.uint16) * 257 for frame in frames()]
    finish(write_movie(out, grey, 6))
    with Image.open(out) as movie:
        np.testing.assert_allclose(np.asarray(movie.convert("L")), frames()[0][..., 0], atol=3)


def test_mp4(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason='needs pip install "napari-btf[movie]"')
    out = tmp_path / "movie.mp4"
    finish(write_movie(out, frames(), 6, fps=12))
    assert [path.name for path in tmp_path.iterdir()] == ["movie.mp4"]
    assert ffmpeg.count_frames_and_secs(str(out)) == (6, pytest.approx(0.5))
    command = [ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(out)]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    read = subprocess.run([*command, *raw], capture_output=True, check=True).stdout
    # Sides are even.
    shown = np.frombuffer(read, dtype=np.uint8).reshape(6, 22, 34, 3)
    assert np.abs(shown[:, :21, :33].astype(int) - np.stack(frames())).mean() < 6


def test_mp4_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UsageError, match=r'imageio-ffmpeg; pip install "napari-btf\[movie\]"'):
        finish(write_movie(tmp_path / "movie.mp4", frames(), 6))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["movie.gif", "frames", "movie.mp4"])
def test_what_is_stopped_leaves_nothing(tmp_path: Path, name: str) -> None:
    if name.endswith("mp4"):
        pytest.importorskip("imageio_ffmpeg", reason='needs pip install "napari-btf[movie]"')
    job = write_movie(tmp_path / name, frames(), 6)
    for _ in range(3):
        next(job)
    job.close()
    assert not list(tmp_path.iterdir())

    def broken() -> object:
        yield from frames(2)
        raise KeyboardInterrupt

    (tmp_path / name).write_text("older") if "." in name else (tmp_path / name).mkdir()
    with pytest.raises(KeyboardInterrupt):
        finish(write_movie(tmp_path / name, broken(), 6))  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).is_dir() or (tmp_path / name).read_text() == "older"


def test_movies_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not written as \.avi; use \.mp4, \.gif"):
        finish(write_movie(tmp_path / "movie.avi", frames(), 6))
    (tmp_path / "file").write_text("hello")
    for name in ("frames", "movie.gif"):
        with pytest.raises(UsageError, match="cannot be written"):
            finish(write_movie(tmp_path / "file" / name, frames(), 6))
    with pytest.raises(UsageError, match="it exists already"):
        finish(write_movie(tmp_path / "file", frames(), 6))
    with pytest.raises(UsageError, match="7 channels"):
        finish(write_movie(tmp_path / "spectral", [np.zeros((4, 4, 7), np.uint8)], 1))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_openexr_keeps_radiance(tmp_path: Path, channels: int, dtype: type) -> None:
    pixels = np.linspace(0, 200, 7 * 9 * channels).reshape(7, 9, channels).astype(dtype)
    write_image(tmp_path / "image.exr", pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["image.exr"]
    if channels == 5:
        import OpenEXR

        names = OpenEXR.InputFile(str(tmp_path / "image.exr")).header()["channels"]
        assert len(names) == 5
        return
    found = _images.decode((tmp_path / "image.exr").read_bytes())
    if np.dtype(dtype).kind == "f":
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, pixels)
    else:
        # Integers are sRGB; OpenEXR holds linear light.
        np.testing.assert_allclose(found, to_linear(pixels.astype(np.float32) / 255), atol=1e-6)


def test_openexr_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("hello")
    with pytest.raises(UsageError, match="cannot be written"):
        write_image(tmp_path / "file" / "image.exr", np.zeros((2, 2, 3), np.float32))
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(UsageError, match=r'pip install "napari-btf\[exr\]"'):
        write_image(tmp_path / "image.exr", np.zeros((2, 2, 3), np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_resized(dtype: type) -> None:
    image = np.arange(4 * 6 * 3, dtype=dtype).reshape(4, 6, 3)
    half = resized(image, 3, 2)
    assert half.dtype == dtype
    means = image.astype(float).reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(half, means, atol=0.5)
    np.testing.assert_array_equal(resized(image, 12, 8), image.repeat(2, axis=0).repeat(2, axis=1))
    both = resized(image, 12, 2)
    np.testing.assert_allclose(
        both[:, ::2], image.astype(float).reshape(2, 2, 6, 3).mean(1), atol=0.5
    )
    np.testing.assert_array_equal(resized(image, 6, 4), image)
    for size in ((0, 4), (4, -1), (10**6, 4)):
        with pytest.raises(UsageError, match="is no size"):
            resized(image, *size)
