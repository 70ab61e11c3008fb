"""Paths of light and view over the hemisphere: keyframes, and interpolation between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import angles_to_vectors, great_circle, unit_vector, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.tables import quoted, read_number, read_text, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.directions import Angles
    from napari_btf.relighting.frames import Relighter

__all__ = ["LightPath", "circle", "find_path", "frames_along", "read_path", "spiral", "sweep"]

_LIGHT, _VIEW = ("light_theta", "light_phi"), ("view_theta", "view_phi")
_HEADER = "light_theta,light_phi"
#: Azimuth in degrees between two keyframes of a circle or spiral.
_STEP = 3.0
#: The form NAME:NUMBERS of a curve. At least two letters, because ``C:`` is a drive of Windows.
_CURVE = re.compile(r"[a-z]{2,}(:[-+.,\d]+)+", re.IGNORECASE)
_MOST_FRAMES = 100_000
_MOST_FPS = 240.0


@dataclass(frozen=True, eq=False)
class LightPath:
    """Keyframes of a moving light and, optionally, of a moving view.

    Between two keyframes a direction moves along the great circle at constant speed ("slerp":
    Shoemake, "Animating rotation with quaternion curves", 1985).

    Parameters
    ----------
    seconds : ndarray, shape (N,)
        Time of each keyframe, increasing from 0; N is at least 2.
    light : ndarray, shape (N, 3)
        Unit vectors towards the light.
    view : ndarray, shape (N, 3), optional
        Unit vectors towards the viewer; None if the path does not move the view.
    """

    seconds: NDArray[np.float64]
    light: NDArray[np.float64]
    view: NDArray[np.float64] | None = None

    def times(self, fps: float = 25.0) -> NDArray[np.float64]:
        """Return the time of each frame in seconds. A closed path does not repeat its first frame.

        Raises
        ------
        UsageError
            If the frame rate is not above 0 and at most 240, or if there are more than 100,000
            frames.
        """
        if not 0 < fps <= _MOST_FPS:
            raise UsageError(
                None,
                f"the frame rate is {fps:g} frames per second",
                f"give a number above 0, at most {_MOST_FPS:g}",
            )
        duration = float(self.seconds[-1])
        if duration * fps > _MOST_FRAMES:
            raise UsageError(
                None,
                f"{duration:g} seconds at {fps:g} frames per second are more than "
                f"{_MOST_FRAMES:,} frames",
                "make the path shorter or the frame rate lower",
            )
        # The small addition absorbs rounding: 4.2 s at 5 frames per second are 21 steps, not 20.
        steps = max(1, int(np.floor(duration * fps + 1e-6)))
        return np.arange(steps + (not self.is_closed)) / fps

    @property
    def is_closed(self) -> bool:
        """Whether the path ends with the light and view it starts with."""
        return all(
            np.allclose(part[0], part[-1], atol=1e-6)
            for part in (self.light, self.view)
            if part is not None
        )

    def at(self, seconds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return light and view at given times (T,) as unit vectors (T, 3).

        The view is None if the path has none. Before the first keyframe and after the last, light
        and view stand still.
        """
        t = np.clip(np.asarray(seconds, dtype=np.float64), self.seconds[0], self.seconds[-1])
        i = np.clip(np.searchsorted(self.seconds, t, side="right") - 1, 0, len(self.seconds) - 2)
        share = (t - self.seconds[i]) / (self.seconds[i + 1] - self.seconds[i])
        light = great_circle(self.light[i], self.light[i + 1], share)
        view = None if self.view is None else great_circle(self.view[i], self.view[i + 1], share)
        return light, view


def circle(theta: float, seconds: float = 6.0, start: float = 0.0) -> LightPath:
    """Return a path once around the normal at ``theta``, counter-clockwise from phi ``start``."""
    phi = np.linspace(0.0, 360.0, round(360.0 / _STEP) + 1) + start
    return _curve(np.full(len(phi), float(theta)), phi, seconds)


def spiral(theta: float, seconds: float = 10.0, turns: float = 3.0) -> LightPath:
    """Return a path that winds counter-clockwise from the normal outwards to ``theta``."""
    if not 0 < turns <= 100:
        raise UsageError(
            None, f"the spiral has {turns:g} turns", "give a number above 0, at most 100"
        )
    share = np.linspace(0.0, 1.0, max(2, round(turns * 360.0 / _STEP)) + 1)
    return _curve(theta * share, 360.0 * turns * share, seconds)


def sweep(start: Angles, end: Angles, seconds: float = 3.0) -> LightPath:
    """Return the shortest path between two directions (theta, phi), in degrees."""
    light = np.stack([unit_vector("light", start), unit_vector("light", end)])
    return LightPath(np.array([0.0, _duration(seconds)]), light)


def find_path(name: str, seconds: float | None = None) -> LightPath:
    """Return the path that a name describes, or read it from a CSV file (see `read_path`).

    Parameters
    ----------
    name : str
        ``circle:THETA``, ``spiral:THETA``, ``sweep:THETA,PHI:THETA,PHI`` or the name of a file.
    seconds : float, optional
        Duration of the path. By default a file keeps its own times, a circle takes 6 s, a spiral
        10 s and a sweep 3 s.

    Raises
    ------
    UsageError
        If the name has none of these forms, or if the file cannot be used.
    """
    kind, *rest = name.split(":")
    curves: dict[str, tuple[Any, int, int]] = {
        "circle": (circle, 1, 1),
        "spiral": (spiral, 1, 1),
        "sweep": (sweep, 2, 2),
    }
    is_file = kind not in curves and not _CURVE.fullmatch(name)
    if is_file or (not (kind in curves and rest) and Path(name).exists()):
        path = read_path(name)
        if seconds is None:
            return path
        scale = _duration(seconds) / path.seconds[-1]
        return LightPath(path.seconds * scale, path.light, path.view)
    try:
        make, parts, numbers = curves[kind]
        found = [[float(number) for number in part.split(",")] for part in rest]
        if len(found) != parts or any(len(part) != numbers for part in found):
            raise ValueError
    except (KeyError, ValueError) as error:
        raise UsageError(
            None,
            f"{name!r} is no path",
            "give circle:THETA, spiral:THETA, sweep:THETA,PHI:THETA,PHI or a CSV file",
        ) from error
    arguments = [part[0] if numbers == 1 else tuple(part) for part in found]
    path = make(*arguments) if seconds is None else make(*arguments, seconds=seconds)
    assert isinstance(path, LightPath)
    return path


def read_path(path: str | Path) -> LightPath:
    """Read keyframes from a CSV file.

    Parameters
    ----------
    path : str or Path
        The columns ``light_theta,light_phi`` in degrees; optionally ``view_theta,view_phi`` if the
        view moves, and ``seconds``, increasing. Without ``seconds``, keyframes are one second
        apart. Other columns are ignored.

    Raises
    ------
    UsageError
        If the file cannot be read, or if a line is wrong; the message names the line.
    """
    text = read_text(path, f"a CSV file with the header {_HEADER}", UsageError)
    rows = list(rows_of(path, text, _is_header, UsageError))
    header = [cell.lower() for cell in rows[0][1]]
    views = [column for column in _VIEW if column in header]
    if not _is_header(header):
        raise UsageError(
            path,
            f"its first line is {quoted(header)}",
            f"expected the header {_HEADER}[,view_theta,view_phi][,seconds]",
        )
    columns = [*_LIGHT, *views, *(["seconds"] if "seconds" in header else [])]
    table = [_numbers(path, n, row, header, columns) for n, row in rows[1:]]
    if len(table) < 2:
        raise UsageError(path, "it has fewer than two keyframes", "add a line for each keyframe")
    found = dict(zip(columns, np.array(table).T, strict=True))
    seconds = found.get("seconds", np.arange(len(table), dtype=np.float64))
    late = np.flatnonzero(np.diff(seconds) <= 0)
    if len(late):
        raise UsageError(
            path,
            f"line {rows[late[0] + 2][0]}: seconds do not increase",
            "order the keyframes by time",
        )
    view = angles_to_vectors(found[_VIEW[0]], found[_VIEW[1]]) if views else None
    light = angles_to_vectors(found[_LIGHT[0]], found[_LIGHT[1]])
    return LightPath(seconds - seconds[0], light, view)


def _is_header(cells: list[str]) -> bool:
    names = {cell.lower() for cell in cells}
    return names >= set(_LIGHT) and len(names & set(_VIEW)) != 1


def frames_along(
    relighter: Relighter,
    path: LightPath,
    fps: float = 25.0,
    view: Angles | None = None,
    **how: Any,
) -> Iterator[NDArray[Any]]:
    """Yield images for display along a path, one for each of ``path.times(fps)``.

    Parameters
    ----------
    relighter : Relighter
    path : LightPath
    fps : float
        Frames per second.
    view : (theta, phi), optional
        The view in degrees if the path has none; by default the captured one nearest to the
        normal.
    **how
        The arguments ``rows columns step exposure gamma`` of `Relighter.frame`.
    """
    for time in path.times(fps):
        light, towards = path.at([time])
        shown = view if towards is None else _angles(towards[0])
        yield relighter.frame(_angles(light[0]), shown, **how)


def _angles(vector: NDArray[np.float64]) -> Angles:
    theta, phi = vectors_to_angles(vector)
    # A rounding error may put theta slightly above 90.
    return min(float(theta), 90.0), float(phi)


def _numbers(
    path: str | Path, line: int, row: list[str], header: list[str], columns: list[str]
) -> list[float]:
    try:
        numbers = [read_number(row[header.index(column)]) for column in columns]
    except (IndexError, ValueError) as error:
        raise UsageError(
            path, f"line {line} is {','.join(row)[:60]!r}", f"expected {','.join(columns)}"
        ) from error
    try:
        for start, name in ((0, "light"), (2, "view")):
            if columns[start : start + 1] in (["light_theta"], ["view_theta"]):
                unit_vector(name, (numbers[start], numbers[start + 1]))
    except UsageError as error:
        raise UsageError(path, f"line {line}: {error.problem}", error.remedy) from error
    if not np.isfinite(numbers).all():
        raise UsageError(path, f"line {line} is {','.join(row)[:60]!r}", "give finite numbers")
    return numbers


def _curve(theta: NDArray[np.float64], phi: NDArray[np.float64], seconds: float) -> LightPath:
    light = np.stack([unit_vector("light", pair) for pair in zip(theta, phi, strict=True)])
    return LightPath(np.linspace(0.0, _duration(seconds), len(light)), light)


def _duration(seconds: float) -> float:
    if not (np.isfinite(seconds) and seconds > 0):
        raise UsageError(None, f"the path takes {seconds:g} seconds", "give a time above 0")
    return float(seconds)
