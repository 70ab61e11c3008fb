"""Capture formats: one module each, all with the same two functions.

``recognises(path)`` is cheap, never raises and says whether the module wants the path;
``read(path, options)`` returns a `BTF` or raises a `CaptureError`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_btf.directions import AzimuthConvention
from napari_btf.errors import CaptureError, UsageError
from napari_btf.formats import image_folder, image_stack
from napari_btf.formats.capture_files import ReadOptions
from napari_btf.formats.rti import reader as rti
from napari_btf.formats.texel_store import store as texel_store
from napari_btf.formats.ubo2014 import reader as ubo2014

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["read", "recognises"]

# The first that recognises a path reads it. Angles in the image names come before an .lp file:
# they name the view too, and whoever has both can still open the .lp file itself.
_FORMATS = (ubo2014, texel_store, image_stack, image_folder, rti)


def recognises(path: str | Path) -> bool:
    """Whether a path looks like a capture; looks at a few names only and never raises."""
    return any(module.recognises(Path(path)) for module in _FORMATS)


def read(
    path: str | Path,
    *,
    pattern: str | None = None,
    skip_bad: bool = False,
    azimuth: AzimuthConvention | str = "ccw",
) -> BTF:
    """Open a capture as a lazy BTF.

    Parameters
    ----------
    path : str or Path
        A folder of images named with their angles, or with an .lp file of light directions
        (RTI); a zip archive of one; the .lp file; a stack of images in one .tif or .npy file
        with a .csv file of its angles beside it; a .btf file of the University of Bonn; or a
        texel store.
    pattern : str, optional
        Regular expression with the named groups tl, pl, tv and pv (or tl and pl alone, for one
        view), searched in the image names of a folder or zip.
    skip_bad : bool
        Check every image now, leave out those that cannot be read or do not fit, and say so in
        the BTF's notes, instead of refusing the capture.
    azimuth : AzimuthConvention or str
        How the capture counts azimuths: ``ccw`` or ``cw``, and where from, such as ``cw+90``.

    Returns
    -------
    BTF
        Pixel values are read when asked for; names and headers are checked now.

    Raises
    ------
    CaptureError
        If nothing there can be read as a capture; the message names the file and the remedy.
    UsageError
        If the pattern is none, or the capture has no names to use it on, or the azimuth
        convention is none.
    """
    path = Path(path)
    if isinstance(azimuth, str):
        azimuth = AzimuthConvention.parse(azimuth)
    _check_there(path)
    chosen = next((module for module in _FORMATS if module.recognises(path)), _likeliest(path))
    if pattern is not None:
        if chosen not in (image_folder, rti):
            raise UsageError(
                path, "a pattern is for image names in a folder or zip", "leave it out"
            )
        chosen = image_folder
    btf: BTF = chosen.read(path, ReadOptions(pattern, skip_bad)).with_azimuth(azimuth)
    # A texel store has the notes of what it was made from already.
    return replace(btf, notes=tuple(dict.fromkeys([*btf.notes, *btf.oddities()])))


def _check_there(path: Path) -> None:
    try:
        there = path.exists()
    except OSError as error:
        raise CaptureError(
            path, f"it cannot be opened ({error.strerror or error})", "check the path"
        ) from error
    if not there:
        raise CaptureError(path, "there is no such folder or file", "check the path")


def _likeliest(path: Path) -> Any:
    """Of what nobody wants, the module whose complaint shows what was found and what is known."""
    if texel_store.is_zarr(path):
        return texel_store
    if path.suffix.lower() == ".btf" and path.is_file():
        return ubo2014
    if path.suffix.lower() in image_stack.EXTENSIONS and path.is_file():
        return image_stack
    return image_folder
