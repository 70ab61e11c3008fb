"""Light and view angles in the names of images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "KEYS",
    "Angles",
    "AnglesError",
    "NamePattern",
    "check_angles",
    "ending_of",
    "in_radians",
    "key_of",
    "parse_angles",
]

KEYS = ("tl", "pl", "tv", "pv")

# A key is "tl", "theta_l", "thetaLight", "theta-light" or "light_theta", and likewise with phi and
# view. The number follows, directly or after one of " _=:". A hyphen before it is a minus sign, and
# its decimals follow a dot or a comma.
_WORDS = r"""
    (?: (?P<short> [tp][lv] )
      | (?P<angle> theta | phi ) [ _-]? (?P<what> light | view | l | v | i | o )
      | (?P<what2> light | view ) [ _-]? (?P<angle2> theta | phi ) )"""
_FLAGS = re.IGNORECASE | re.VERBOSE | re.ASCII
_KEY = re.compile(_WORDS, _FLAGS)
_START = rf"(?<![A-Za-z]) {_WORDS} [ _=:]?"
_ANGLE = re.compile(rf"{_START} (?P<value> [-+]? \d+ (?: [.,]\d+ )? )", _FLAGS)
#: Numbers of other forms: "tl.5", "tl--30", and with the minus sign of typography.
_OTHER_NUMBER = re.compile(
    rf"{_START} (?P<value> (?: [-+]? [.,] | [-+]{{2,}} | [−–] ) \d+ )", _FLAGS
)
#: What makes the digits before it part of another number: "12p5", "1e1", "12°30", "1.2.3", "1rad".
_GOES_ON = re.compile(
    r"""[.,]\d
    | (?: [pdexo°'’·:/] | pt | point | dot | komma | comma ) [ ]? [-+]? \d
    | [ _]? (?: m?rad | gon | grad ) (?![a-z])""",
    _FLAGS,
)
#: Digits behind a number that may be its decimals ("12_5"), or a number of its own.
_ENDING = re.compile(r"[ _-] (?P<digits> \d+ )", _FLAGS)
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
        If a file or folder name gives one angle twice, with different values, or if a number in a
        name that has all four angles cannot be read as a whole (``tl12p5``, ``tl12_5_pl0``).
    """
    found: dict[str, float] = {}
    unread: dict[str, str] = {}
    own, folders = _parts(name)
    for part, is_own in ((own, True), *((folder, False) for folder in folders)):
        values, wrong = _angles_of(part, is_own)
        unread.update((key, text) for key, text in wrong.items() if key not in found)
        for key, value in values.items():
            found.setdefault(key, value)
    if len(found) != len(KEYS):
        return None
    for key, text in unread.items():
        raise AnglesError(f'"{text}" in the name is not clear as the number of {key}')
    return Angles(*(found[key] for key in KEYS))


def ending_of(name: str) -> str:
    """Return the digits after the last angle in a file's own name, "7" in "tl0_pl5_7.png", or "".

    They may be an index, or decimals: the names of all images together tell.
    """
    own, _ = _parts(name)
    matches = list(_ANGLE.finditer(own))
    ending = _ENDING.match(own, matches[-1].end()) if matches else None
    return "" if ending is None else ending["digits"]


def _parts(name: str) -> tuple[str, list[str]]:
    """Return the name of a file without its extension, and its folders from the innermost."""
    *folders, own = name.split("/")
    stem, dot, extension = own.rpartition(".")
    # Digits after a dot are decimals, not an extension: "tl15.5" is not a file of type ".5".
    return (stem if dot and stem and not extension.isdigit() else own), folders[::-1]


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


def _angles_of(text: str, is_own: bool) -> tuple[dict[str, float], dict[str, str]]:
    """Return the angles in a part of a name, and what cannot be read of those whose number is odd.

    The digits behind the last angle of a file's own name are left to `ending_of`.
    """
    found: dict[str, float] = {}
    unread: dict[str, str] = {}
    matches = list(_ANGLE.finditer(text))
    for match in matches:
        key, value = _key(match), float(match["value"].replace(",", "."))
        goes_on = _GOES_ON.match(text, match.end())
        if goes_on is None and not (is_own and match is matches[-1]):
            goes_on = _ENDING.match(text, match.end())
        if goes_on is not None:
            unread[key] = match[0] + goes_on[0]
        if found.setdefault(key, value) != value:
            raise AnglesError(f"the name gives {key} twice, as {found[key]:g} and {value:g}")
    for match in _OTHER_NUMBER.finditer(text):
        key = _key(match)
        unread[key] = match[0]
        found.setdefault(key, 0.0)
    return found, unread


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


def in_radians(angles: NDArray[np.float64]) -> bool:
    """Return whether angles, (N, 4) as in `Angles`, seem to be in radians rather than degrees.

    No capture in degrees has all thetas below 1.6 and all phis below 6.3, with decimals in both.
    """
    size = np.abs(angles)
    theta, phi = size[:, ::2], size[:, 1::2]
    small = theta.max() <= np.pi / 2 + 0.01 and phi.max() <= 2 * np.pi + 0.01
    return bool(small and all(np.any(part != np.rint(part)) for part in (theta, phi)))
