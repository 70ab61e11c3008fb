"""Whether what a model claims to hold can be in its file, and fits the memory there is.

Latent maps are compressed, so a file of 100 kB could claim any number of texels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_btf.errors import ModelFileError
from napari_btf.memory import free_memory, in_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_claim", "check_memory"]

#: Values of a latent map and of an image that are believed of any file.
_FREE_LATENTS, _FREE_IMAGE = 1 << 25, 1 << 26
#: Beyond, values for each byte of the file. Models of real surfaces have less than 10 latents.
_LATENTS_PER_BYTE, _IMAGE_PER_BYTE = 64, 128
#: Bytes for each latent (while it is decoded) and for each value of an image.
_LATENT_BYTES, _VALUE_BYTES = 8, 4
#: What is opened without asking how much memory there is.
_FREE_BYTES = 256 << 20


def check_claim(path: Path, description: dict[str, Any], size: int) -> None:
    """Raise a ModelFileError if a file of ``size`` bytes cannot hold what it claims.

    Parameters
    ----------
    path : Path
        For the message.
    description : dict
        With ``height``, ``width``, ``channels`` and ``latents`` checked already.
    size : int

    Raises
    ------
    ModelFileError
    """
    latents, image = _values(description)
    if latents > max(_FREE_LATENTS, _LATENTS_PER_BYTE * size) or image > max(
        _FREE_IMAGE, _IMAGE_PER_BYTE * size
    ):
        height, width, channels, count = (
            description[key] for key in ("height", "width", "channels", "latents")
        )
        raise ModelFileError(
            path,
            f"it claims {width} x {height} texels of {count} latents and {channels} channels, "
            f"which {in_bytes(size)} cannot hold",
            "copy it again",
        )


def check_memory(path: Path, description: dict[str, Any]) -> None:
    """Raise a ModelFileError if opening a model takes more memory than there is.

    Raises
    ------
    ModelFileError
    """
    latents, image = _values(description)
    needed = _LATENT_BYTES * latents + _VALUE_BYTES * image
    if needed > _FREE_BYTES and needed > (free := free_memory()):
        raise ModelFileError(
            path,
            f"opening it takes {in_bytes(needed)} of memory, {in_bytes(free)} are free",
            "end other programs, or use a computer with more memory",
        )


def _values(description: dict[str, Any]) -> tuple[int, int]:
    """Return the number of values of the latent map, and of an image."""
    texels = description["height"] * description["width"]
    return texels * description["latents"], texels * description["channels"]
