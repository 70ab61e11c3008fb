"""Reads models from CSV files, whose format `napari_btf.export.csv_export` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.decoding.layers import Layers
from napari_btf.codec.texel_network.model import AbrdfConvBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import ModelFileError, UsageError
from napari_btf.export.csv_export import WEIGHTS_HEADER, csv_paths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

__all__ = ["read_csv"]

#: Largest theta in degrees if no capture tells the directions: typical of domes and
#: gonioreflectometers.
_REACH = 75.0
#: Largest number of rows or columns of a layer.
_MOST_UNITS = 2**16
_LARGEST = 1e18


def read_csv(
    folder: str | Path,
    tag: str = "0",
    size: tuple[int, int] | None = None,
    capture: BTF | None = None,
) -> AbrdfConvBTF:
    """Read a model from a folder of CSV files.

    Parameters
    ----------
    folder : str or Path
        The folder with ``weights_model_TAG.csv`` and ``latent_map_TAG.csv``.
    tag : str
        The last part of the file names.
    size : (width, height), optional
        Size of the surface in texels; by default that of the capture.
    capture : BTF, optional
        The capture that the model was trained on. The files do not contain its directions; without
        a capture, thetas up to 75 degrees at all azimuths are assumed.

    Returns
    -------
    AbrdfConvBTF
        Its view varies if the first layer has 4 inputs beside the latents, and is fixed if it has
        2.

    Raises
    ------
    ModelFileError
        If a file cannot be used; the message names the file, and the line if a line is wrong.
    UsageError
        If the size is missing, or if the capture does not fit the model.
    """
    weights_path, latents_path = csv_paths(folder, tag)
    if latents_path.is_file() and not weights_path.exists():
        raise ModelFileError(
            weights_path,
            "there is no such file beside the latents, and only models of the codecs abrdf-conv "
            "and mlp have one",
            "use the .safetensors file of the model, or train with --codec abrdf-conv",
        )
    if size is None:
        if capture is None:
            raise UsageError(
                None,
                "the files do not say how wide the surface is",
                "give its size, or the capture of the model",
            )
        size = capture.width, capture.height
    latents = _latent_map(latents_path, *size)
    layers = _read_layers(weights_path)
    coordinates = _coordinates(weights_path, layers.weights[0].shape[1], latents.shape[2])
    light, view = _reach(coordinates)
    if capture is not None:
        _check_capture(capture, (*size, len(layers.biases[-1])), coordinates)
        light, view = capture.light, capture.view
    try:
        return AbrdfConvBTF(
            layers=layers,
            latents=latents,
            light=light,
            view=view,
            dtype=np.dtype(np.uint8 if capture is None else capture.frames.dtype),
            source=tag if capture is None else capture.name,
        )
    except ValueError as error:
        raise ModelFileError(weights_path, str(error), "export the model again") from error


def _latent_map(path: Path, width: int, height: int) -> NDArray[np.float32]:
    """Read the latent map, (H, W, K), and check that it has the size of the surface."""
    flat = _read_latents(path)
    if min(width, height) < 1 or width * height != len(flat):
        raise ModelFileError(
            path, f"it has {len(flat)} texels, not {width} x {height}", "give the right size"
        )
    return flat.reshape(height, width, -1)


def _coordinates(path: Path, inputs: int, latents: int) -> int:
    """Return how many inputs of the first layer are coordinates of directions: 2 or 4."""
    if inputs - latents not in (2, 4):
        raise ModelFileError(
            path,
            f"its first layer has {inputs} inputs, expected "
            f"{latents} latents and 2 or 4 coordinates of directions",
            "take both files from one model",
        )
    return inputs - latents


def _check_capture(capture: BTF, size: tuple[int, int, int], coordinates: int) -> None:
    """Check that a model of this size (width, height, channels) can belong to the capture."""
    found = capture.width, capture.height, capture.channels
    remedy = "name the capture that the model was trained on"
    if found != size:
        shown, own = ("{} x {} texels of {} channels".format(*of) for of in (found, size))
        raise UsageError(capture.source or None, f"it has {shown}, the model has {own}", remedy)
    if coordinates == 2 and len(capture.grid.views) > 1:
        raise UsageError(
            capture.source or None, "it has several views, the model has only one", remedy
        )


def _reach(coordinates: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (light, view) pairs, (P, 3) each, that span the assumed range of directions."""
    ring = np.concatenate([[(0.0, 0.0)], [(_REACH, phi) for phi in range(0, 360, 15)]])
    light = angles_to_vectors(*ring.T)
    return light, light if coordinates == 4 else np.tile([0.0, 0.0, 1.0], (len(light), 1))


def _lines(path: Path) -> list[str]:
    """Read the lines of a text file; raise a ModelFileError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelFileError(path, "there is no such file", "check folder and tag") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(
            path, f"it cannot be read as text ({reason})", "expected a CSV file"
        ) from error


def _wrong(path: Path, number: int, line: str, expected: str) -> ModelFileError:
    """Return the error that names a wrong line and what was expected there."""
    shown = line if len(line) <= 60 else f"{line[:57]}..."
    return ModelFileError(
        path, f"line {number} is {shown!r}, expected {expected}", "export the model again"
    )


def _read_latents(path: Path) -> NDArray[np.float32]:
    """Read the latents of all texels, (T, K)."""
    lines = _lines(path)
    count = lines[0].count(",") + 1 if lines else 1
    header = ",".join(map(str, range(count)))
    if not lines or lines[0] != header:
        raise _wrong(path, 1, lines[0] if lines else "", f"the header {header}")
    lines = lines[1:]
    expected = f"{count} numbers"
    if not lines:
        raise _wrong(path, 2, "", expected)
    try:
        values = np.array([line.split(",") for line in lines], dtype=np.float64)
    # Some row has another length or a cell that is no number: find the first one.
    except ValueError:
        values = np.full((len(lines), count), np.nan)
        for i, line in enumerate(lines):
            try:
                values[i] = np.array([line.split(",")], dtype=np.float64).reshape(count)
            except ValueError:
                break
    if values.shape[1] != count:
        raise _wrong(path, 2, lines[0], expected)
    bad = np.flatnonzero(~(np.abs(values) < _LARGEST).all(axis=1))
    if len(bad):
        raise _wrong(path, int(bad[0]) + 2, lines[bad[0]], expected)
    return values.astype(np.float32)


def _read_layers(path: Path) -> Layers:
    """Read the decoder; its layers have the order in which they first appear in the file."""
    found = _read_values(path)
    names = list(dict.fromkeys(layer for layer, _ in found))
    weights = [_table(path, name, "weight", found.get((name, "weight"), {})) for name in names]
    biases = [_table(path, name, "bias", found.get((name, "bias"), {}))[0] for name in names]
    inputs = weights[0].shape[1]
    for name, weight, bias in zip(names, weights, biases, strict=True):
        if weight.shape != (len(bias), inputs):
            raise ModelFileError(
                path,
                f"layer {name} has {weight.shape[0]} x {weight.shape[1]} weights, but "
                f"{len(bias)} biases and {inputs} inputs",
                "export the model again",
            )
        inputs = len(bias)
    return Layers(tuple(weights), tuple(biases))


def _read_values(path: Path) -> dict[tuple[str, str], dict[tuple[int, int], float]]:
    """Read all values as {(layer, "weight" or "bias"): {(row, column): value}}; at least one."""
    lines = _lines(path)
    if not lines or lines[0] != WEIGHTS_HEADER:
        raise _wrong(path, 1, lines[0] if lines else "", f"the header {WEIGHTS_HEADER}")
    found: dict[tuple[str, str], dict[tuple[int, int], float]] = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            layer, kind, row, column, value = line.split(",")
            place, number_of = (int(row), int(column)), float(value)
            if kind not in ("weight", "bias") or not abs(number_of) < _LARGEST:
                raise ValueError("neither weight nor bias, or not finite")
            if not all(0 <= index < _MOST_UNITS for index in place):
                raise ValueError("an index out of range")
        except ValueError as error:
            expected = "a layer, weight or bias, a row, a column and a number"
            raise _wrong(path, number, line, expected) from error
        values = found.setdefault((layer, kind), {})
        if place in values:
            raise _wrong(path, number, line, "each weight and bias once")
        values[place] = number_of
    if not found:
        raise _wrong(path, 2, "", "a weight")
    return found


def _table(
    path: Path, layer: str, kind: str, values: dict[tuple[int, int], float]
) -> NDArray[np.float32]:
    """Arrange values by row and column in an array, and check that none is missing."""
    rows = max((row for row, _ in values), default=0) + 1
    columns = max((column for _, column in values), default=0) + 1
    if len(values) != rows * columns or (kind == "bias" and rows > 1):
        raise ModelFileError(
            path,
            f"layer {layer} has {len(values)} values of type {kind}, not {rows} x {columns}",
            "export the model again",
        )
    table = np.empty((rows, columns), dtype=np.float32)
    for place, value in values.items():
        table[place] = value
    return table
