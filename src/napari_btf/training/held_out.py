"""Lights that are held out of a training, to score the model on lights that it has not seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.directions import (
    SAME_DIRECTION_DEGREES,
    angle_between,
    angles_to_vectors,
    format_angles,
)
from napari_btf.errors import UsageError
from napari_btf.tables import read_number, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF

__all__ = ["hold_out_lights", "observations_under", "read_lights", "split_lights"]


def read_lights(path: str | Path) -> NDArray[np.float64]:
    """Read light directions from a text file of ``theta phi`` lines in degrees.

    Blank lines and everything after a ``#`` are ignored; a comma may separate the two numbers.

    Returns
    -------
    ndarray, shape (M, 3)
        Unit vectors.

    Raises
    ------
    UsageError
        If the file cannot be read; the message names the line.
    """
    text = read_text(path, "a text file with lines of theta and phi", UsageError)
    angles = []
    for number, line in enumerate(text.splitlines(), start=1):
        # Commas mark decimals where something else separates the two numbers.
        bare = line.split("#")[0].strip()
        words = re.split(r"[;\t]", bare) if re.search(r"[;\t]", bare) else re.split(r"[,\s]+", bare)
        words = [word for word in words if word.strip()]
        if not words or [word.strip().lower() for word in words] == ["theta", "phi"]:
            continue
        try:
            theta, phi = map(read_number, words)
            if not np.isfinite([theta, phi]).all():
                raise ValueError("not a finite number")
        except ValueError as error:
            raise UsageError(
                path,
                f"line {number} is {line.strip()!r}, expected theta and phi in degrees",
                "correct the line",
            ) from error
        angles.append((theta, phi))
    if not angles:
        raise UsageError(path, "it has no directions", "add lines of theta and phi")
    return angles_to_vectors(*np.array(angles).T)


def hold_out_lights(btf: BTF, every: int) -> NDArray[np.bool_]:
    """Return the mask of the observations under one of every ``every`` lights.

    The lights are taken in the order of `BTF.grid`, from the middle of the first ``every`` on,
    because those at the edge of the captured range are needed for the training.

    Parameters
    ----------
    btf : BTF
    every : int
        0 holds out none.

    Returns
    -------
    ndarray of bool, shape (N,)

    Raises
    ------
    UsageError
        If there are fewer lights than ``every``, or none would be left.
    """
    if every == 0:
        return np.zeros(len(btf), dtype=bool)
    lights = len(btf.grid.lights)
    if not 2 <= every <= lights:
        raise UsageError(
            btf.source or None,
            f"one of {every} lights cannot be held out of {lights}",
            f"use 2 to {lights}" if lights > 1 else "hold out none",
        )
    held_out: NDArray[np.bool_] = btf.grid.light_of % every == every // 2
    return held_out


def split_lights(btf: BTF, path: str | Path) -> NDArray[np.bool_]:
    """Return the mask of the observations under the lights of a file (see `read_lights`).

    Returns
    -------
    ndarray of bool, shape (N,)

    Raises
    ------
    UsageError
        If the capture has no such light.
    """
    return observations_under(btf, read_lights(path), path)


def observations_under(
    btf: BTF, lights: ArrayLike, path: str | Path | None = None
) -> NDArray[np.bool_]:
    """Return the mask of the observations under one of some lights.

    Parameters
    ----------
    btf : BTF
    lights : array_like, shape (M, 3)
        Unit vectors.
    path : str or Path, optional
        The file of the lights, for the error message.

    Returns
    -------
    ndarray of bool, shape (N,)

    Raises
    ------
    UsageError
        If the capture has no such light.
    """
    held_out = np.zeros(len(btf), dtype=bool)
    for light in np.asarray(lights):
        apart = angle_between(btf.light, light)
        if apart.min() > SAME_DIRECTION_DEGREES:
            raise UsageError(
                path,
                f"light {format_angles(light)} is not in the capture, the nearest is "
                f"{format_angles(btf.light[apart.argmin()])}",
                "use light directions of the capture",
            )
        held_out |= apart <= SAME_DIRECTION_DEGREES
    return held_out
