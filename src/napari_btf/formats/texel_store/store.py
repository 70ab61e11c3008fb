"""Reading of texel stores: a whole BTF as a Zarr 3 group, with fast access to images and texels.

- ``observations``: array (observation, y, x, channel) in the data type of the capture. A chunk
  covers a tile of texels and some observations, and is compressed and has a checksum. Each file
  holds many chunks (sharding).
- ``light``, ``view``: arrays (observation, component) of unit vectors.
- the attribute ``napari-btf`` of the group: format, version, and the origin of the values.

`napari_btf.formats.conversion` writes stores. Here, `forms` checks what their metadata claim, and
`shards` and `vectors` read the chunks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_btf.btf import BTF
from napari_btf.btf.physical_size import is_size
from napari_btf.errors import CaptureError
from napari_btf.formats.texel_store.forms import (
    METADATA,
    check_group,
    directions_form,
    observations_form,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_btf.formats.capture_files import ReadOptions

__all__ = [
    "ATTRIBUTE",
    "DIRECTIONS",
    "FORMAT",
    "JOURNAL",
    "VERSION",
    "is_zarr",
    "read",
    "recognises",
]

FORMAT = "napari-btf texel store"
VERSION = 1

#: Name of the group attribute that identifies a texel store.
ATTRIBUTE = "napari-btf"

#: Description of the direction vectors, written to the store.
DIRECTIONS = "unit vectors, x right, y up, z out of the surface"

#: Name of the file in which an unfinished conversion records its progress.
JOURNAL = "conversion.jsonl"

_METADATA_LIMIT = 1 << 20
_REMEDY = "convert its capture again"


def recognises(path: Path) -> bool:
    """Return whether a folder is a texel store of any version."""
    return _attributes(path).get("format") == FORMAT


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr group or array of any Zarr version."""
    try:
        return any((path / name).is_file() for name in (METADATA, ".zgroup", ".zarray"))
    except OSError:
        return False


def read(path: Path, options: ReadOptions | None = None) -> BTF:
    """Open a texel store.

    Raises
    ------
    CaptureError
        If the path is not a texel store, or the store is unfinished, damaged or of an unknown
        version. Damage of the pixel values is detected only when they are read.
    """
    found = _attributes(path)
    _check_kind(path, found)
    try:
        return _opened(path, found)
    except OSError as error:
        problem = f"the texel store cannot be read ({error.strerror or error})"
        raise CaptureError(path, problem, "check the disk and its permissions") from error
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it claims more than memory can hold"
        raise CaptureError(path, f"the texel store is damaged ({reason})", _REMEDY) from error


def _check_kind(path: Path, found: dict[str, Any]) -> None:
    """Raise a CaptureError unless the attribute is that of a texel store of this version."""
    if found.get("format") != FORMAT:
        if (path / JOURNAL).is_file():
            raise CaptureError(
                path, "it is an unfinished texel store", "run napari-btf convert again to finish it"
            )
        raise CaptureError(
            path,
            "it is a Zarr store of another kind",
            "expected a texel store written by napari-btf convert",
        )
    if found.get("version") != VERSION:
        raise CaptureError(
            path,
            f"it is a texel store of version {found.get('version')}, expected version {VERSION}",
            f"update napari-btf or {_REMEDY}",
        )


def _opened(path: Path, found: dict[str, Any]) -> BTF:
    """Open the texel store whose attribute is ``found``."""
    from napari_btf.formats.texel_store.frames import StoredFrames
    from napari_btf.formats.texel_store.shards import Shards
    from napari_btf.formats.texel_store.vectors import read_vectors

    # All arrays are checked before any of them is read.
    check_group(path)
    form = observations_form(path / "observations")
    count, channels = form.shape[0], form.shape[3]
    forms = {name: directions_form(path / name, count) for name in ("light", "view")}
    channel_names = _texts(found.get("channel_names", []), "channel_names")
    if len(channel_names) not in (0, channels):
        raise ValueError(f"there are {len(channel_names)} names of {channels} channels")
    source, size = found.get("source"), found.get("mm_per_texel")
    notes = _texts(source.get("notes") if isinstance(source, dict) else None, "notes")
    shards = Shards(path / "observations", form.shape, form.chunk, form.shard, form.dtype)
    shards.check_size()
    light, view = (read_vectors(path / name, forms[name]) for name in ("light", "view"))
    stored = StoredFrames(shards)
    return BTF(
        stored.frames,
        light,
        view,
        str(path),
        "texel store",
        notes=notes,
        gatherer=stored,
        channel_names=channel_names,
        mm_per_texel=size if is_size(size) else None,
    )


def _texts(found: Any, what: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"its {what} are no list of texts")
    # JSON can contain lone surrogates, which no stream can print.
    return tuple(text.encode(errors="replace").decode() for text in found)


def _attributes(path: Path) -> dict[str, Any]:
    """Read the attribute of a texel store; return an empty dict if there is none. Never raises."""
    try:
        file = path / METADATA
        if not file.is_file() or file.stat().st_size > _METADATA_LIMIT:
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))["attributes"][ATTRIBUTE]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
