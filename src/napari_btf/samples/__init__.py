"""The sample BTF that ships with the package.

"weave" is a path-traced woven cloth with a red printed disc, a foil ring and a lacquer band,
made for this project: 64 x 64 texels, 7 views (normal, and six at 15 degrees) x 81 lights,
as JPEG images in sRGB with a little sensor noise. Further tilted views, where neighbouring
yarns cover one another, are left out: modelling that takes many more views, and megabytes.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import UsageError
from napari_btf.formats import read

if TYPE_CHECKING:
    from napari_btf.btf import BTF

__all__ = ["open_sample", "sample_path", "write_sample"]


def sample_path() -> Path:
    """The zip archive of images inside the package."""
    return Path(__file__).parent / "weave.zip"


def open_sample() -> BTF:
    """The sample as a lazy BTF."""
    return read(sample_path())


def write_sample(folder: str | Path) -> int:
    """Write the sample as an ordinary folder of images, one sub-folder per view.

    Parameters
    ----------
    folder : str or Path
        New, empty, or holding an earlier copy of the sample.

    Returns
    -------
    int
        Number of images.

    Raises
    ------
    UsageError
        If the folder has other files in it or cannot be written to.
    """
    folder = Path(folder)
    with zipfile.ZipFile(sample_path()) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        known = {name.split("/")[0] for name in names}
        try:
            if folder.exists() and not {entry.name for entry in folder.iterdir()} <= known:
                raise UsageError(folder, "it has other files in it", "name a new or empty folder")
            archive.extractall(folder)
        except OSError as error:
            raise UsageError(
                folder, f"it cannot be written ({error.strerror or error})", "choose another place"
            ) from error
    return len(names)
