"""The options of a training, each declared once: for Python, the command line and batches."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import angles_to_vectors
from napari_btf.errors import CoordinatesError, UsageError
from napari_btf.texels.coordinates import read_coordinates
from napari_btf.texels.sampling import (
    all_texels,
    check_seed,
    every_nth,
    masked_texels,
    random_texels,
)
from napari_btf.training.held_out import hold_out_lights, observations_under, split_lights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec import FitSettings

__all__ = ["OPTION_NAMES", "TrainingOptions"]


def _said(metavar: str | None, about: str) -> dict[str, str | None]:
    """Return what the command line says about an option: the name of its value, and its help."""
    return {"metavar": metavar, "help": about}


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingOptions:
    """The options of a training; `napari_btf.train` takes the same and explains them.

    The command line makes an option of every field, in this order.

    Raises
    ------
    UsageError
        If two options exclude each other, or the seed or the memory is not usable.
    """

    codec: str = field(
        default="auto",
        metadata=_said(
            None,
            "Codec: neural-basis, parallax, or auto (see above); for comparison also abrdf-conv "
            "and mlp, which evaluate a network for each texel.",
        ),
    )
    bytes_per_texel: float | None = field(
        default=None,
        metadata=_said(
            "B", "Largest size of the model: B bytes per texel, plus 64 KiB (default: 8)."
        ),
    )
    target_psnr: float | None = field(
        default=None, metadata=_said("DB", "Make the smallest model that reaches this PSNR, in dB.")
    )
    latents: int | None = field(
        default=None, metadata=_said("K", "Number of latents per texel, finely quantised.")
    )
    texels: str | Path | ArrayLike | None = field(
        default=None,
        metadata=_said(
            "FILE.csv", "Train only on the texels in this file (header x,y or x,y,region)."
        ),
    )
    pixels: int | None = field(
        default=None, metadata=_said("N", "Train on N texels, chosen at random.")
    )
    step: int = field(
        default=1, metadata=_said("N", "Train only on every N-th texel in both directions.")
    )
    hold_out_lights: str | Path | int | ArrayLike | None = field(
        default=None,
        metadata=_said(
            "FILE",
            "Text file of lights (lines of theta phi) that are not trained on, but used to measure "
            "the quality.",
        ),
    )
    seconds: float | None = field(
        default=None, metadata=_said("S", "Train for S seconds; neural-basis may end earlier.")
    )
    epochs: int | None = field(default=None, metadata=_said("N", "Train for N epochs."))
    seed: int = field(default=0, metadata=_said(None, "Seed of all random choices."))
    device: str = field(
        default="auto", metadata=_said("NAME", "Device to train on: auto, cpu, cuda or mps.")
    )
    memory: float = field(
        default=2.0, metadata=_said("GIB", "Largest amount of memory for data, in GiB.")
    )

    def __post_init__(self) -> None:
        for one, other in (("texels", "pixels"), ("seconds", "epochs")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise UsageError(None, f"{one} and {other} exclude each other", "give one of them")
        check_seed(self.seed)
        if not np.isfinite(self.memory):
            raise UsageError(None, f"the memory is {self.memory} GiB", "give a number, such as 2")

    @property
    def settings(self) -> FitSettings:
        """The settings of the codec."""
        from napari_btf.codec import FitSettings, NetworkSettings

        # Less than nothing is refused by the codec, as too little.
        most = int(min(max(self.memory, 0.0), 2.0**20) * 2**30)
        network = NetworkSettings(self.epochs, self.seconds, self.device, self.seed, most)
        return FitSettings(
            self.latents, network, self.bytes_per_texel, self.target_psnr, self.codec
        )

    def coords(self, btf: BTF) -> NDArray[np.intp]:
        """Rows ``(y, x)`` of the texels to learn from, (T, 2).

        Raises
        ------
        CoordinatesError, UsageError
            If what is named is no selection of this capture's texels.
        """
        chosen = every_nth(_texels(self.texels, btf.height, btf.width), self.step)
        return chosen if self.pixels is None else random_texels(chosen, self.pixels, self.seed)

    def held_out(self, btf: BTF) -> NDArray[np.bool_] | None:
        """Which observations are kept for scoring, (N,); None for none.

        Raises
        ------
        UsageError
            If a light is not one of this capture's.
        """
        asked: Any = self.hold_out_lights
        if asked is None:
            return None
        if isinstance(asked, (str, Path)):
            return split_lights(btf, asked)
        if isinstance(asked, (int, np.integer)):
            return hold_out_lights(btf, int(asked))
        values = np.asarray(asked)
        if values.dtype == bool and values.shape == (len(btf),):
            return values
        is_angles = values.ndim == 2 and values.shape[1] == 2 and values.dtype.kind in "iuf"
        if not is_angles or not np.isfinite(values).all():
            raise UsageError(
                None,
                f"lights to hold out are an array of shape {values.shape} and type {values.dtype}",
                "give rows of theta and phi, a number n for one of every n lights, or a file",
            )
        return observations_under(btf, angles_to_vectors(*values.T.astype(np.float64)))


#: The names of all options.
OPTION_NAMES = tuple(option.name for option in fields(TrainingOptions))


def _texels(asked: str | Path | ArrayLike | None, height: int, width: int) -> NDArray[np.intp]:
    """Rows ``(y, x)`` of a file, a mask, or coordinates."""
    if asked is None:
        return all_texels(height, width)
    if isinstance(asked, (str, Path)):
        return read_coordinates(asked, height, width)
    values = np.asarray(asked)
    is_coordinates = values.ndim == 2 and values.shape[1] == 2 and values.dtype.kind in "iu"
    if values.shape == (height, width) and not is_coordinates:
        coords = masked_texels(values)
    elif is_coordinates:
        coords = values.astype(np.intp)
        outside = ((coords < 0) | (coords >= (height, width))).any(axis=1)
        if outside.any():
            y, x = coords[np.argmax(outside)]
            raise CoordinatesError(
                None,
                f"the texel y={y}, x={x} lies outside the {width} x {height} image",
                "use coordinates of this capture, rows of (y, x)",
            )
        # Each once, in their order.
        coords = np.array(list(dict.fromkeys(map(tuple, coords.tolist()))), dtype=np.intp)
    else:
        raise CoordinatesError(
            None,
            f"texels are an array of shape {values.shape} and type {values.dtype}",
            f"give a mask of shape ({height}, {width}), integer rows of (y, x), or a file",
        )
    if not len(coords):
        raise CoordinatesError(None, "no texel is chosen to learn from", "choose some")
    return coords.reshape(-1, 2)
