"""A finished model is not lost because the place where it was to be saved is full or gone."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_btf.errors import ModelFileError

if TYPE_CHECKING:
    from napari_btf.codec import CompressedBTF

__all__ = ["save_or_keep"]


def save_or_keep(model: CompressedBTF, path: str | Path) -> Path:
    """Save a model; if that fails, keep it in the temporary folder or in the user's own.

    Parameters
    ----------
    model : CompressedBTF
    path : str or Path
        The file that the user has named.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelFileError
        If the model is not at ``path``. The message names the file that has it instead, if any.
    """
    try:
        return model.save(path)
    except ModelFileError as error:
        kept = _kept(model)
        if kept is None:
            raise
        raise ModelFileError(
            path, error.problem, f"the model was kept as {kept}; move it to another place"
        ) from error


def _kept(model: CompressedBTF) -> Path | None:
    """Save a model in the first folder that takes it; a model that is no model fits none."""
    # The name is new, because another file in these folders must not be replaced.
    name = f"napari-btf-model-{secrets.token_hex(4)}.safetensors"
    for folder in (_temporary_folder, Path.home):
        try:
            return model.save(folder() / name)
        except (ModelFileError, OSError, RuntimeError):
            continue
    return None


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir())
