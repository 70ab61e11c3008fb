"""The images of a capture as one lazy array, for all formats that consist of image files.

This module checks the headers of all images when a capture is opened, and names an image that
differs from the others. Each format determines the images of a capture and their directions.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_btf.errors import CaptureError
from napari_btf.formats.capture_files import open_file, read_bytes, size_of
from napari_btf.formats.images.files import decode, header
from napari_btf.formats.images.looks import with_orientation
from napari_btf.formats.images.orientation import UPRIGHT, swaps_axes
from napari_btf.formats.images.types import ImageFileError, ImageHeader
from napari_btf.formats.sayings import common_orientation, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf.observations import Frames

__all__ = ["OpenedFrames", "lazy_frames", "list_of"]

_THREADS = 4
_FIRST = 16
_SLOW_SECONDS = 2e-4
"""Seconds per header; reading one from the operating system's file cache takes far less."""
_LISTED = 10
_BLOCK = 1024
"""Number of headers after which an error ends the search for others."""


class OpenedFrames(NamedTuple):
    """The opened images of a capture."""

    frames: Frames
    """(N, H, W, C); reading an image raises `CaptureError` if it is damaged, missing or changed."""
    kept: list[int]
    """For each frame, the index of its name in the given list of names."""
    channel_names: tuple[str, ...]
    notes: list[str]
    """Sentences about what was left out."""


def lazy_frames(root: Path, names: Sequence[str], skip_bad: bool = False) -> OpenedFrames:
    """Open the images of a capture without decoding their pixels.

    Parameters
    ----------
    root : Path
        The folder or zip archive.
    names : sequence of str
        Relative names of at least one image, in the order of the observations.
    skip_bad : bool
        Decode every image now, and leave out those that are unreadable or differ from the others.

    Raises
    ------
    CaptureError
        If an image cannot be read, or its size or type differs from most others; with
        ``skip_bad`` only if no image remains.
    """
    headers: list[ImageHeader | CaptureError] = []
    for start in range(0, len(names), _BLOCK):
        headers += _for_all(lambda name: _header(root, name), names[start : start + _BLOCK])
        wrong = next((h for h in headers[start:] if isinstance(h, CaptureError)), None)
        # Nothing more is looked at, because a damaged archive may have very many such images.
        if wrong is not None and not skip_bad:
            raise wrong
    turn = common_orientation(
        [h.orientation if isinstance(h, ImageHeader) else None for h in headers],
        lambda i: decode(read_bytes(root, names[i]), UPRIGHT),
    )
    if turn is not None:
        headers = [with_orientation(h, turn) if isinstance(h, ImageHeader) else h for h in headers]
    problems = _misfits(root, names, headers)
    if problems and not skip_bad:
        raise next(iter(problems.values()))
    good = [
        (i, found)
        for i, found in enumerate(headers)
        if isinstance(found, ImageHeader) and names[i] not in problems
    ]
    if skip_bad and good:
        whole = _Frames(root, [names[i] for i, _ in good], good[0][1], turn)
        for (i, _), problem in zip(good, _for_all(whole.check, range(len(good))), strict=True):
            if problem is not None:
                problems[names[i]] = problem
        good = [(i, found) for i, found in good if names[i] not in problems]
    if not good:
        raise next(iter(problems.values()))
    first = good[0][1]
    return OpenedFrames(
        _Frames(root, [names[i] for i, _ in good], first, turn),
        [i for i, _ in good],
        first.channel_names,
        [*_notes([found for _, found in good], problems), *sentences([h for _, h in good], turn)],
    )


def _misfits(
    root: Path, names: Sequence[str], headers: Sequence[ImageHeader | CaptureError]
) -> dict[str, CaptureError]:
    """Return an error for each image that cannot be read or differs from the majority."""
    # The majority defines the expected type, so that the exceptions are reported.
    usual = Counter(_shape(h) for h in headers if isinstance(h, ImageHeader)).most_common(1)
    problems: dict[str, CaptureError] = {}
    for name, found in zip(names, headers, strict=True):
        if isinstance(found, CaptureError):
            problems[name] = found
        elif _shape(found) != usual[0][0]:
            problems[name] = CaptureError(
                root / name,
                f"the image is {_describe(found)}{_as_turned(found)}, the other images are "
                f"{_describe(ImageHeader(*usual[0][0]))}",
                "all images of a capture need the same size and type; convert it or move it away",
            )
    return problems


def list_of(problems: Sequence[str]) -> str:
    """Join the first ten problems into one text for a note."""
    more = len(problems) - _LISTED
    text = "; ".join(problems[:_LISTED])
    return f"{text}; and {more} more" if more > 0 else text


def _notes(headers: Sequence[ImageHeader], problems: dict[str, CaptureError]) -> list[str]:
    notes = []
    if problems:
        described = [f'"{name}" ({error.problem})' for name, error in problems.items()]
        notes.append(f"{len(problems)} images were left out: {list_of(described)}")
    for left_out in sorted({found.left_out for found in headers} - {""}):
        notes.append(f"the {left_out} of the images was left out")
    return notes


def _for_all(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Apply a function to all items and return the results in order.

    Several threads are used only if the first items take long. Threads help while some of them
    wait for a slow disk or decode a large image, but if they mostly wait for the GIL, they take
    twice as long as one thread.
    """
    start = time.perf_counter()
    done = [work(item) for item in items[:_FIRST]]
    if time.perf_counter() - start < _SLOW_SECONDS * len(done):
        return done + [work(item) for item in items[_FIRST:]]
    with ThreadPoolExecutor(_THREADS) as pool:
        return done + list(pool.map(work, items[_FIRST:]))


def _shape(found: ImageHeader) -> tuple[Any, ...]:
    return found[:5]


def _describe(found: ImageHeader) -> str:
    kind = {1: "grey", 3: "RGB"}.get(found.channels, f"{found.channels} channels")
    bits = f"{found.dtype.itemsize * 8} bit"
    return f"{found.width} x {found.height} {kind} {bits}{' float' * (found.dtype.kind == 'f')}"


def _as_turned(found: ImageHeader) -> str:
    tag = found.orientation
    return f" (turned by its orientation tag {tag})" if swaps_axes(tag) else ""


def _header(root: Path, name: str) -> ImageHeader | CaptureError:
    try:
        with open_file(root, name) as file:
            return header(file, size_of(root, name))
    except ImageFileError as problem:
        return _unreadable(root, name, problem)
    except OSError as error:
        return _unreadable(root, name, error)


def _unreadable(root: Path, name: str, error: ImageFileError | OSError) -> CaptureError:
    if isinstance(error, ImageFileError):
        problem = CaptureError(root / name, f"the image {error}", error.remedy)
    else:
        reason = error.strerror or error
        remedy = ImageFileError("").remedy
        problem = CaptureError(root / name, f"it cannot be read ({reason})", remedy)
    problem.__cause__ = error
    return problem


class _Frames:
    """The images as one lazy (N, H, W, C) array, which reads one image per access."""

    def __init__(
        self, root: Path, names: Sequence[str], found: ImageHeader, turn: int | None
    ) -> None:
        self.root = root
        self.turn = turn
        self.names = list(names)
        self.dtype = found.dtype
        self.shape = (len(self.names), found.height, found.width, found.channels)

    def __getitem__(self, i: int, /) -> NDArray[Any]:
        name = self.names[i]
        try:
            pixels = decode(read_bytes(self.root, name), self.turn)
            if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
                raise ImageFileError("changed since the capture was opened")
        except (ImageFileError, OSError) as error:
            raise _unreadable(self.root, name, error) from error
        return pixels

    def check(self, i: int) -> CaptureError | None:
        """Decode an image and return its error, or None if it can be read."""
        try:
            self[i]
        except CaptureError as error:
            return error
        return None
