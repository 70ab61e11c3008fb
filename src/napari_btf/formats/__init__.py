"""Capture formats: one module or sub-package each, and what several of them share.

Every format has the same two functions. ``recognises(path)`` is cheap, never raises and returns
whether the path looks like this format; ``read(path, options)`` returns a `BTF` or raises a
`CaptureError`. Model files belong in `napari_btf.codec`, and their other forms in
`napari_btf.export`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_btf.btf.physical_size import check_mm_per_texel
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

# The first format that recognises a path reads it. Images with angles in their names have
# priority over an .lp file, because names give the view, too; a user whose folder has both can
# still open the .lp file itself.
_FORMATS = (ubo2014, texel_store, image_stack, image_folder, rti)


def recognises(path: str | Path) -> bool:
    """Return whether a path looks like a capture; checks only a few names and never raises."""
    # An empty path would stand for the current folder.
    return bool(str(path)) and any(module.recognises(Path(path)) for module in _FORMATS)


def read(
    path: str | Path,
    *,
    pattern: str | None = None,
    skip_bad: bool = False,
    azimuth: AzimuthConvention | str = "ccw",
    mm_per_texel: float | None = None,
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
        Check every image now and leave out those that are unreadable or differ from the others,
        with a note in the BTF, instead of raising an error.
    azimuth : AzimuthConvention or str
        How the capture measures azimuths: ``ccw`` or ``cw``, with an optional direction of zero in
        degrees, such as ``cw+90``.
    mm_per_texel : float, optional
        Distance of neighbouring texels in millimetres. By default it is what the capture states,
        which only .btf files and texel stores do.

    Returns
    -------
    BTF
        Names and headers are checked now; pixel values are read on access.

    Raises
    ------
    CaptureError
        If the path cannot be read as a capture; the message names the file and the remedy.
    UsageError
        If the pattern is invalid, the capture has no image names to search, the azimuth
        convention is invalid, or a texel cannot have this size.
    """
    if not str(path):
        raise CaptureError(None, "the path is empty", "name a capture")
    path = Path(path)
    if isinstance(azimuth, str):
        azimuth = AzimuthConvention.parse(azimuth)
    check_mm_per_texel(mm_per_texel)
    _check_there(path)
    chosen = next((module for module in _FORMATS if module.recognises(path)), _likeliest(path))
    if pattern is not None:
        if chosen not in (image_folder, rti):
            raise UsageError(
                path, "a pattern applies only to image names in a folder or zip", "leave it out"
            )
        chosen = image_folder
    btf: BTF = chosen.read(path, ReadOptions(pattern, skip_bad)).with_azimuth(azimuth)
    # Duplicates are removed, because a texel store repeats the notes of its original capture.
    notes = tuple(dict.fromkeys([*btf.notes, *btf.oddities()]))
    return replace(btf, notes=notes, mm_per_texel=mm_per_texel or btf.mm_per_texel)


def _check_there(path: Path) -> None:
    try:
        there = path.exists()
    except OSError as error:
        raise CaptureError(
            path, f"it cannot be opened ({error.strerror or error})", "check the path"
        ) from error
    if not there:
        raise CaptureError(path, "there is no such folder or file", "check the path")
    # A pipe would be waited for without end.
    if not (path.is_dir() or path.is_file()):
        raise CaptureError(path, "it is neither a folder nor a file", "check the path")


def _likeliest(path: Path) -> Any:
    """Return the format whose error message suits a path best that no format recognises."""
    if texel_store.is_zarr(path):
        return texel_store
    if path.suffix.lower() == ".btf" and path.is_file():
        return ubo2014
    if path.suffix.lower() in image_stack.EXTENSIONS and path.is_file():
        return image_stack
    return image_folder
