"""Capture formats: one module each, all with the same two functions.

``recognises(path)`` is cheap, never raises and says whether the module wants the path;
``read(path)`` returns a `BTF` or raises a `CaptureError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import CaptureError
from napari_btf.formats import image_folder, texel_store

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["read", "recognises"]

_FORMATS = (texel_store, image_folder)


def recognises(path: str | Path) -> bool:
    """Whether a path looks like a capture; looks at a few names only and never raises."""
    return any(module.recognises(Path(path)) for module in _FORMATS)


def read(path: str | Path) -> BTF:
    """Open a capture as a lazy BTF.

    Parameters
    ----------
    path : str or Path
        A folder of images named with their angles, a zip archive of one, or a texel store.

    Returns
    -------
    BTF
        Pixel values are read when asked for; names and image headers are checked now.

    Raises
    ------
    CaptureError
        If nothing there can be read as a capture; the message names the file and the remedy.
    """
    path = Path(path)
    if not path.exists():
        raise CaptureError(path, "there is no such folder or file", "check the path")
    # The image folder's complaint shows what was found and which names are known.
    complains = texel_store if texel_store.is_zarr(path) else image_folder
    chosen = next((module for module in _FORMATS if module.recognises(path)), complains)
    btf: BTF = chosen.read(path)
    return btf
