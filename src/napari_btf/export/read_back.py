"""Files are read back as what they claim to be, before they replace older ones.

Each function raises a UsageError for what another program could not read.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["check_exr", "check_folder", "check_gif", "check_image", "check_mp4", "check_text"]


def check_image(height: int, width: int) -> Callable[[bytes, Path], None]:
    """Return a check that the content of a file decodes to an image of this size."""

    def check(content: bytes, path: Path) -> None:
        from napari_btf.formats.images.files import decode

        try:
            size = decode(content).shape[:2]
        # Every decoder has exceptions of its own.
        except Exception as error:
            raise _unlike(path, "an image") from error
        if size != (height, width):
            raise _unlike(path, f"an image of {width} x {height} pixels")

    return check


def check_exr(path: Path, shape: tuple[int, ...]) -> Callable[[Path], None]:
    """Return a check that a file is an OpenEXR image (H, W, C), whatever its channels are called.

    The reader of captures takes only channels that are colours or wavelengths.
    """

    def check(written: Path) -> None:
        import OpenEXR

        try:
            with OpenEXR.File(str(written), separate_channels=True) as file:
                sizes = [channel.pixels.shape for channel in file.channels().values()]
        # OpenEXR has no exceptions of its own.
        except Exception as error:
            raise _unlike(path, "an image") from error
        if sizes != [shape[:2]] * shape[2]:
            raise _unlike(path, f"an image of {shape[1]} x {shape[0]} pixels")

    return check


def check_gif(count: int) -> Callable[[bytes, Path], None]:
    """Return a check that the content of a file is a GIF of this number of frames."""

    def check(content: bytes, path: Path) -> None:
        from PIL import Image

        try:
            with Image.open(io.BytesIO(content), formats=("GIF",)) as image:
                found = getattr(image, "n_frames", 1)
                image.seek(found - 1)
                image.load()
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise _unlike(path, "a film") from error
        # Pillow joins frames that are equal to the ones before them.
        if not min(count, 1) <= found <= count:
            raise _unlike(path, f"a film of {count} frames")

    return check


def check_mp4(path: Path, count: Callable[[], int]) -> Callable[[Path], None]:
    """Return a check that ffmpeg decodes as many frames from a file as were given to it."""

    def check(written: Path) -> None:
        import imageio_ffmpeg

        try:
            found, _ = imageio_ffmpeg.count_frames_and_secs(str(written))
        except (RuntimeError, OSError) as error:
            raise _unlike(path, "a film") from error
        if found != count():
            raise _unlike(path, f"a film of {count()} frames")

    return check


def check_folder(path: Path, count: Callable[[], int]) -> Callable[[Path], None]:
    """Return a check that a folder has this number of images, each of which was checked."""

    def check(written: Path) -> None:
        if sum(1 for _ in written.iterdir()) != count():
            raise _unlike(path, f"a folder of {count()} images")

    return check


def check_text(content: bytes, path: Path) -> None:
    """Check the content of a file by the ending of its name: JSON, CSV, ONNX, NPY."""
    kind = path.suffix.lower()
    try:
        if kind == ".json":
            json.loads(content)
        elif kind == ".csv":
            rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
            if len({len(row) for row in rows}) != 1:
                raise ValueError("rows of different lengths")
        elif kind == ".onnx":
            import onnx

            onnx.checker.check_model(onnx.load_from_string(content))
        elif kind == ".npy":
            import numpy as np

            np.load(io.BytesIO(content), allow_pickle=False)
    # Each of the parsers has exceptions of its own.
    except Exception as error:
        raise _unlike(path, f"a {kind[1:].upper()} file") from error


def _unlike(path: Path, what: str) -> UsageError:
    return UsageError(
        path,
        f"it was not written, because it could not be read again as {what}",
        "check whether the disk is full; an older file there is unchanged",
    )
