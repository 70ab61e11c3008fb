"""Writes movies frame by frame: MP4, GIF, or a folder of PNG images."""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.export.images import write_image
from napari_btf.export.read_back import check_folder, check_gif, check_mp4
from napari_btf.files import check_place, replacing, write_file
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from napari_btf.progress import Job

    Add = Callable[[NDArray[np.uint8]], None]

__all__ = ["check_movie_name", "write_movie"]

#: Constant rate factor of H.264, from 0 (lossless) to 51: visually lossless.
_QUALITY = 18


def check_movie_name(path: str | Path) -> str:
    """Return the kind of movie that a path names: ``.mp4``, ``.gif``, or "" for a folder.

    Raises
    ------
    UsageError
        If the extension is not supported, the folder is not empty, nothing can be written there, or
        the package for MP4 is missing.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".mp4", ".gif", ""):
        raise UsageError(
            path,
            f"movies are not written as {kind}",
            "use .mp4, .gif, or a name without extension for a folder of PNG images",
        )
    if kind == "" and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(path, "it exists already", "name a new or empty folder")
    if kind and path.is_dir():
        raise UsageError(path, "it is a folder", "give the name of a file")
    check_place(path)
    if kind == ".mp4":
        _ffmpeg(path)
    return kind


def write_movie(
    path: str | Path, frames: Iterable[NDArray[Any]], total: int, fps: float = 25.0
) -> Job[Path]:
    """Write frames as a movie, or as numbered PNG images in a new folder.

    Parameters
    ----------
    path : str or Path
        ``.mp4`` (H.264; needs the package imageio-ffmpeg), ``.gif``, or a name without extension
        for a folder of ``0000.png``, ``0001.png`` ...
    frames : iterable of ndarray of uint8 or uint16, shape (H, W, C)
        Frames of one size with one or three channels. MP4 and GIF store 8 bits.
    total : int
        Number of frames, for the reports.
    fps : float
        Frames per second. GIF rounds times to hundredths of a second.

    Yields
    ------
    Progress

    Returns
    -------
    Path
        ``path``. It appears only when the movie is complete: closing the job leaves no file.

    Raises
    ------
    UsageError
        See `check_movie_name`; also if the file cannot be written or the frames are spectral.
    """
    path = Path(path)
    kind = check_movie_name(path)
    writer = {".mp4": _mp4, ".gif": _gif, "": _folder}[kind]
    yield Progress("movie", 0, total)
    with writer(path, fps) as add:
        for i, frame in enumerate(frames, start=1):
            if frame.shape[2] not in (1, 3):
                raise UsageError(
                    path,
                    f"the frames have {frame.shape[2]} channels",
                    "movies need one or three channels; write single images as .tif",
                )
            add(frame)
            yield Progress("movie", min(i, total), total)
    return path


def _rgb8(frame: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert a grey or RGB frame of 8 or 16 bits to RGB of 8 bits, (H, W, 3)."""
    if frame.dtype != np.uint8:
        frame = (frame >> 8).astype(np.uint8)
    return np.repeat(frame, 3 // frame.shape[2], axis=2)


@contextmanager
def _folder(path: Path, _: float) -> Iterator[Add]:
    """Give a function that writes each frame as a numbered PNG file."""
    count = 0
    with replacing(path, check=check_folder(path, lambda: count)) as temporary:
        temporary.mkdir()

        def add(frame: NDArray[np.uint8]) -> None:
            nonlocal count
            write_image(temporary / f"{count:04d}.png", frame)
            count += 1

        yield add


@contextmanager
def _gif(path: Path, fps: float) -> Iterator[Add]:
    """Give a function that collects the frames; the file is written at the end."""
    from PIL import Image

    images: list[Image.Image] = []
    yield lambda frame: images.append(Image.fromarray(_rgb8(frame)).quantize(256))
    # GIF counts hundredths of a second. Rounding the ends of the frames keeps the total duration:
    # at 30 frames per second, frames last 3, 4, 3, ... hundredths.
    ends = np.rint(100.0 * np.arange(len(images) + 1) / fps).astype(int)
    durations = (10 * np.maximum(np.diff(ends), 1)).tolist()
    buffer = io.BytesIO()
    first, *others = images
    first.save(
        buffer, format="GIF", save_all=True, append_images=others, duration=durations, loop=0
    )
    write_file(path, buffer.getvalue(), check=check_gif(len(images)))


@contextmanager
def _mp4(path: Path, fps: float) -> Iterator[Add]:
    """Give a function that sends each frame to ffmpeg."""
    ffmpeg = _ffmpeg(path)
    writer: Any = None
    count = 0
    with replacing(path, check=check_mp4(path, lambda: count)) as temporary:

        def add(frame: NDArray[np.uint8]) -> None:
            nonlocal writer, count
            # H.264 stores one colour for 2 x 2 pixels, so that both sides must be even.
            height, width = frame.shape[:2]
            pixels = np.pad(_rgb8(frame), ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if writer is None:
                size = pixels.shape[1], pixels.shape[0]
                writer = ffmpeg.write_frames(
                    str(temporary),
                    size,
                    fps=fps,
                    codec="libx264",
                    quality=None,
                    macro_block_size=1,
                    # What ffmpeg says would stand between the lines of this program.
                    ffmpeg_log_level="quiet",
                    output_params=["-crf", str(_QUALITY), "-movflags", "+faststart"],
                )
                writer.send(None)
            try:
                writer.send(np.ascontiguousarray(pixels))
            # If ffmpeg has ended, the message is its whole command.
            except (OSError, StopIteration) as error:
                raise OSError("ffmpeg ended early; the disk may be full") from error
            count += 1

        try:
            yield add
        finally:
            # Wait for ffmpeg, which writes the end of the file when it is closed.
            if writer is not None:
                writer.close()


def _ffmpeg(path: Path) -> ModuleType:
    """Import imageio-ffmpeg, or raise a UsageError that says how to install it."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UsageError(
            path,
            "MP4 needs the package imageio-ffmpeg",
            'pip install "napari-btf[movie]", or write .gif',
        ) from error
    module: ModuleType = imageio_ffmpeg
    return module
