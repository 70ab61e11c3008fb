"""Light and view angles in the names of images."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from napari_btf.errors import UsageError

__all__ = [
    "KEYS",
    "Angles",
    "AnglesError",
    "NamePattern",
    "check_angles",
    "key_of",
    "parse_angles",
]

KEYS = ("tl", "pl", "tv", "pv")

# A key is "tl", "theta_l", "thetaLight", "theta-light" or "light_theta", and likewise with phi and
# view. The number follows, directly or after one of " _=:". A hyphen before it is a minus sign.
_WORDS = r"""
    (?: (?P<short> [tp][lv] )
      | (?P<angle> theta | phi ) [ _-]? (?P<what> light | view | l | v | i | o )
      | (?P<what2> light | view ) [ _-]? (?P<angle2> theta | phi ) )"""
_FLAGS = re.IGNORECASE | re.VERBOSE | re.ASCII
_KEY = re.compile(_WORDS, _FLAGS)
_ANGLE = re.compile(rf"(?<![A-Za-z]) {_WORDS} [ _=:]? (?P<value> [-+]? \d+ (?: \.\d+ )? )", _FLAGS)
_MOST_DEGREES = 3600.0


class Angles(NamedTuple):
    """Light and view angles of one image in degrees."""

    theta_light: float
    phi_light: float
    theta_view: float
    phi_view: float


class AnglesError(ValueError):
    """The angles of an image are contradictory or invalid; the message is a clause."""


def parse_angles(name: str) -> Angles | None:
    """Parse the angles in an image name; return None if one of the four is missing.

    Parameters
    ----------
    name : str
        File name, with or without folders and extension. An angle that is missing in the file's
        own name is taken from the names of its folders.

    Raises
    ------
    AnglesError
        If a file or folder name gives one angle twice, with different values.
    """
    path = PurePosixPath(name)
    # Digits after a dot are decimals, not an extension: "tl15.5" is not a file of type ".5".
    own = path.name if path.suffix[1:].isdigit() else path.stem
    found: dict[str, float] = {}
    for part in (own, *reversed(path.parent.parts)):
        for key, value in _angles_of(part).items():
            found.setdefault(key, value)
    if len(found) != len(KEYS):
        return None
    return Angles(*(found[key] for key in KEYS))


def key_of(word: str) -> str | None:
    """Return the member of `KEYS` that a word such as "theta_l" or "tl" means, or None."""
    match = _KEY.fullmatch(word)
    return None if match is None else _key(match)


def _key(match: re.Match[str]) -> str:
    if match["short"]:
        return match["short"].lower()
    angle, what = match["angle"] or match["angle2"], match["what"] or match["what2"]
    # In the literature, i and o (incoming, outgoing) also denote light and view.
    first = what[0].lower()
    return angle[0].lower() + {"i": "l", "o": "v"}.get(first, first)


def _angles_of(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for match in _ANGLE.finditer(text):
        key, value = _key(match), float(match["value"])
        if found.setdefault(key, value) != value:
            raise AnglesError(f"the name gives {key} twice, as {found[key]:g} and {value:g}")
    return found


class NamePattern:
    """A user's regular expression for the angles in image names.

    Parameters
    ----------
    text : str
        Expression that may match any part of an image's relative name, folders included. It needs
        the named groups tl and pl, and also tv and pv unless all images have the view 0, 0.

    Raises
    ------
    UsageError
        If the expression is invalid or lacks these groups.
    """

    def __init__(self, text: str) -> None:
        example = r"for example '(?P<tl>\d+)_(?P<pl>\d+)_(?P<tv>\d+)_(?P<pv>\d+)'"
        try:
            self._regex = re.compile(text)
        except re.error as error:
            raise UsageError(
                None,
                f"the pattern {text!r} is not a regular expression ({error})",
                f"give one, {example}",
            ) from error
        groups = set(self._regex.groupindex) & set(KEYS)
        if groups not in ({"tl", "pl"}, set(KEYS)):
            raise UsageError(
                None,
                f"the pattern {text!r} has the named groups {', '.join(sorted(groups)) or 'none'}, "
                "expected tl, pl, tv and pv, or tl and pl alone",
                f"name them, {example}",
            )
        self.has_view = "tv" in groups

    def __call__(self, name: str) -> Angles | None:
        """Parse the angles in an image name; return None if the pattern does not match.

        Raises
        ------
        AnglesError
            If the text that a group matched is not a number.
        """
        match = self._regex.search(name)
        if match is None:
            return None
        values = {"tv": 0.0, "pv": 0.0}
        for key in KEYS if self.has_view else KEYS[:2]:
            text = match[key]
            try:
                values[key] = float(text.replace(",", "."))
            except (ValueError, AttributeError) as error:
                raise AnglesError(f"the pattern finds {text!r} as {key}, not a number") from error
        return Angles(*(values[key] for key in KEYS))


def check_angles(angles: Angles) -> None:
    """Check that angles are directions above the surface.

    Raises
    ------
    AnglesError
        If a theta lies outside -90 to 90 degrees, or a phi outside -3600 to 3600 degrees.
    """
    for key, theta in (("tl", angles.theta_light), ("tv", angles.theta_view)):
        if not -90.0 <= theta <= 90.0:
            raise AnglesError(f"{key} is {theta:g} degrees, a polar angle lies between -90 and 90")
    for key, phi in (("pl", angles.phi_light), ("pv", angles.phi_view)):
        if not np.abs(phi) <= _MOST_DEGREES:
            raise AnglesError(f"{key} is {phi:g} degrees, which is not an azimuth")
