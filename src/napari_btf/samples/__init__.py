"""The sample BTFs that ship with the package: their files and functions that open or copy them.

Menus and commands that offer the samples belong elsewhere (`napari_btf.plugin`, `napari_btf.cli`).

Both show a path-traced woven cloth with a red printed disc, a foil ring and a lacquer band, made
for this project, as JPEG images in sRGB with a little sensor noise.

"weave" varies light and view: 64 x 64 texels, 7 views (normal, and six at 15 degrees) x 81 lights.
Views at larger angles, at which yarns occlude each other, are left out: modelling occlusion takes
many more views, and megabytes.

"weave-lights" varies the light only, as an RTI capture does: 256 x 256 texels, 81 lights.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import UsageError
from napari_btf.files import check_place
from napari_btf.formats import read

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["SAMPLES", "open_sample", "sample_path", "write_sample"]

#: What each sample is, by its name.
SAMPLES = {
    "weave": "woven cloth, 7 views x 81 lights, 64 x 64 texels",
    "weave-lights": "woven cloth, 1 view x 81 lights, 256 x 256 texels",
}


def sample_path(name: str = "weave") -> Path:
    """Return the path of a sample's zip archive inside the package.

    Raises
    ------
    UsageError
        If there is no sample of this name.
    """
    if name not in SAMPLES:
        raise UsageError(None, f'there is no sample "{name}"', f"choose {' or '.join(SAMPLES)}")
    return Path(__file__).parent / f"{name}.zip"


def open_sample(name: str = "weave") -> BTF:
    """Open a sample as a lazy BTF.

    Raises
    ------
    UsageError
        If there is no sample of this name.
    """
    return read(sample_path(name))


def write_sample(folder: str | Path, name: str = "weave") -> int:
    """Write a sample as an ordinary folder of images, one sub-folder per view.

    Parameters
    ----------
    folder : str or Path
        A new folder, an empty one, or one with an earlier copy of the sample.
    name : str
        One of `SAMPLES`.

    Returns
    -------
    int
        Number of images.

    Raises
    ------
    UsageError
        If there is no such sample, or the folder contains other files or cannot be written.
    """
    folder = Path(folder)
    check_place(folder)
    with zipfile.ZipFile(sample_path(name)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        known = {name.split("/")[0] for name in names}
        try:
            if folder.exists() and not {entry.name for entry in folder.iterdir()} <= known:
                raise UsageError(folder, "it contains other files", "name a new or empty folder")
            archive.extractall(folder)
        except OSError as error:
            raise UsageError(
                folder, f"it cannot be written ({error.strerror or error})", "choose another place"
            ) from error
    return len(names)
