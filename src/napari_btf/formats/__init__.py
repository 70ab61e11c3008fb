"""Capture formats: one module each, all with the same two functions.

``recognises(path)`` is cheap, never raises and says whether the module wants the path;
``read(path)`` returns a `BTF` or raises a `CaptureError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_btf.errors import CaptureError
from napari_btf.formats import image_folder, rti, texel_store, ubo2014

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["read", "recognises"]

# The first that recognises a path reads it. Angles in the image names come before an .lp file:
# they name the view too, and whoever has both can still open the .lp file itself.
_FORMATS = (ubo2014, texel_store, image_folder, rti)


def recognises(path: str | Path) -> bool:
    """Whether a path looks like a capture; looks at a few names only and never raises."""
    return any(module.recognises(Path(path)) for module in _FORMATS)


def read(path: str | Path) -> BTF:
    """Open a capture as a lazy BTF.

    Parameters
    ----------
    path : str or Path
        A folder of images named with their angles, or with an .lp file of light directions
        (RTI); a zip archive of one; the .lp file; a .btf file of the University of Bonn; or a
        texel store.

    Returns
    -------
    BTF
        Pixel values are read when asked for; names and headers are checked now.

    Raises
    ------
    CaptureError
        If nothing there can be read as a capture; the message names the file and the remedy.
    """
    path = Path(path)
    if not path.exists():
        raise CaptureError(path, "there is no such folder or file", "check the path")
    # Of what nobody wants, the likeliest module's complaint shows what was found and what is known.
    likeliest: Any = image_folder
    if texel_store.is_zarr(path):
        likeliest = texel_store
    elif path.suffix.lower() == ".btf" and path.is_file():
        likeliest = ubo2014
    chosen = next((module for module in _FORMATS if module.recognises(path)), likeliest)
    btf: BTF = chosen.read(path)
    return btf
