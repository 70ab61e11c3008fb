"""The sample BTF that ships with the package: its files and the functions that open or copy it.

Menus and commands that offer the sample belong elsewhere (`napari_btf.plugin`, `napari_btf.cli`).

"weave" is a path-traced woven cloth with a red printed disc, a foil ring and a lacquer band,
made for this project: 64 x 64 texels, 7 views (normal, and six at 15 degrees) x 81 lights,
as JPEG images in sRGB with a little sensor noise. Views at larger angles, at which yarns occlude
each other, are left out: modelling occlusion takes many more views, and megabytes.
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

__all__ = ["open_sample", "sample_path", "write_sample"]


def sample_path() -> Path:
    """Return the path of the sample's zip archive inside the package."""
    return Path(__file__).parent / "weave.zip"


def open_sample() -> BTF:
    """Open the sample as a lazy BTF."""
    return read(sample_path())


def write_sample(folder: str | Path) -> int:
    """Write the sample as an ordinary folder of images, one sub-folder per view.

    Parameters
    ----------
    folder : str or Path
        A new folder, an empty one, or one with an earlier copy of the sample.

    Returns
    -------
    int
        Number of images.

    Raises
    ------
    UsageError
        If the folder contains other files or cannot be written.
    """
    folder = Path(folder)
    check_place(folder)
    with zipfile.ZipFile(sample_path()) as archive:
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
