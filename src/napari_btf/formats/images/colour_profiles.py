"""Colour profiles (ICC): conversion of the pixels to sRGB, which integers stand for here.

A profile is whatever a stranger's file contains, and it is C code that reads it. So its size and
its header and table are checked before. A profile that cannot be used is no error, because the
pixels are there all the same: a note says that it was not applied. A profile counts as sRGB if it
changes no colour by more than two of 255 levels, whatever its name says.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["about", "about_png", "kept", "to_srgb"]

_LARGEST = 4 << 20
_MOST_TAGS = 128
_SPACES = {b"RGB ": "rgb", b"GRAY": "gray"}
_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
_SAME = 2
"""Levels of 255 by which conversion may change a colour if the profile is sRGB."""
_RELATIVE_COLORIMETRIC = 1
_SRGB_GAMMA = 0.45455
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


class _Profile(NamedTuple):
    """What is known of a profile."""

    name: str
    space: str
    """"rgb" or "gray"; empty if the profile cannot be used."""
    problem: str
    """Why it cannot be used; may be empty."""
    is_srgb: bool


@lru_cache(maxsize=32)
def kept(profile: bytes) -> bytes:
    """Return the first of equal profiles, so that thousands of headers share one in memory."""
    return profile


def about(profile: bytes, channels: int, dtype: np.dtype[Any]) -> str:
    """Say what reading does with a profile: it completes "the images ..."; may be empty."""
    if not profile:
        return ""
    found = _examined(profile)
    if found.is_srgb:
        return ""
    called = f'colour profile "{found.name}"' if found.name else "colour profile"
    problem = found.problem or _misfit(found, channels, dtype)
    if problem:
        return f"have a {called} that was not applied, because {problem}"
    return f"were converted from their {called} to sRGB"


def about_png(info: Mapping[Any, Any]) -> str:
    """Say that a PNG file states a transfer curve or primaries that are not those of sRGB."""
    if "srgb" in info or info.get("icc_profile"):
        return ""
    gamma, primaries = info.get("gamma"), info.get("chromaticity")
    if gamma and abs(gamma - _SRGB_GAMMA) > 0.01:
        return f"state a gamma of 1/{1 / gamma:.3g}, which was not applied: they are read as sRGB"
    if primaries and not np.allclose(primaries, _SRGB_PRIMARIES, atol=0.005):
        return "state primaries that are not those of sRGB, which were not applied"
    return ""


def to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Return pixels (H, W, C) in sRGB, where the profile can be applied and is not sRGB."""
    if not profile:
        return pixels
    found = _examined(profile)
    if found.is_srgb or found.problem or _misfit(found, pixels.shape[-1], pixels.dtype):
        return pixels
    grey = pixels.shape[-1] == 1
    if grey and found.space == "rgb":
        return _converted(np.repeat(pixels, 3, axis=-1), profile, "rgb")[..., 1:2]
    if grey:
        return _converted(pixels[..., 0], profile, "gray")[..., 1:2]
    return _converted(pixels, profile, "rgb")


def _misfit(found: _Profile, channels: int, dtype: np.dtype[Any]) -> str:
    """Say why a usable profile does not suit these pixels; may be empty."""
    if dtype.kind == "f":
        return "floating point values count as linear light"
    if channels not in (1, 3):
        return f"the images have {channels} channels"
    if channels == 3 and found.space == "gray":
        return "it is of grey images"
    return ""


@lru_cache(maxsize=32)
def _examined(profile: bytes) -> _Profile:
    problem = _fault(profile)
    name = "" if problem else _name(profile)
    if problem:
        return _Profile(name, "", problem, False)
    space = _SPACES[profile[16:20]]
    ramp = np.linspace(0, 255, 18).round().astype(np.uint8)
    if space == "gray":
        sample = ramp[None, :]
        plain = np.repeat(sample[..., None], 3, axis=-1)
    else:
        sample = plain = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(18, -1, 3)
    # Any exception is caught, because the profile may be damaged in any way.
    try:
        change = np.abs(_converted(sample, profile, space).astype(int) - plain).max()
    except Exception:
        return _Profile(name, "", "it is damaged", False)
    return _Profile(name, space, "", bool(change <= _SAME))


def _converted(pixels: NDArray[Any], profile: bytes, space: str) -> NDArray[Any]:
    import imagecodecs

    return np.asarray(
        imagecodecs.cms_transform(
            np.ascontiguousarray(pixels),
            profile,
            _srgb(),
            colorspace=space,
            outcolorspace="rgb",
            intent=_RELATIVE_COLORIMETRIC,
        )
    )


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    import imagecodecs

    return bytes(imagecodecs.cms_profile("srgb"))


def _fault(profile: bytes) -> str:
    """Say what is wrong with the size, the header or the table of a profile; may be empty."""
    if len(profile) > _LARGEST:
        return f"it is larger than {_LARGEST >> 20} MiB"
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return "it is damaged"
    (length,) = struct.unpack_from(">I", profile)
    if length > len(profile) or profile[12:16] not in _CLASSES:
        return "it is damaged"
    if profile[16:20] not in _SPACES:
        return "it is not of RGB or grey images"
    if profile[20:24] not in (b"XYZ ", b"Lab "):
        return "it is damaged"
    tags = list(_tags(profile))
    if not tags or any(place < 128 or place + size > length for _, place, size in tags):
        return "it is damaged"
    return ""


def _tags(profile: bytes) -> list[tuple[bytes, int, int]]:
    """Return name, place and size of each tag; nothing if there are too many."""
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > _MOST_TAGS or 132 + 12 * count > len(profile):
        return []
    return [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]


def _name(profile: bytes) -> str:
    """Return the description of a profile, at most 40 plain characters."""
    for tag, place, size in _tags(profile):
        content = profile[place : place + size]
        if tag != b"desc" or size < 16:
            continue
        if content[:4] == b"desc":
            (length,) = struct.unpack_from(">I", content, 8)
            text = content[12 : 12 + min(length, 200)].split(b"\0")[0].decode("latin-1")
        elif content[:4] == b"mluc" and size >= 28:
            length, start = struct.unpack_from(">II", content, 20)
            text = content[start : start + min(length, 200)].decode("utf-16-be", "replace")
        else:
            continue
        return re.sub(r"[^ -~\u00a1-\u024f]", "", text).strip()[:40]
    return ""
