"""Text that people see: names from strangers' files made harmless, long texts shortened."""

from __future__ import annotations

import re

__all__ = ["LONGEST", "printable", "shortened"]

#: Most characters of a sentence about an error.
LONGEST = 300

#: Control characters, marks that turn the direction of writing, other ends of lines, and the
#: surrogates by which Python stands for bytes of a name that are not UTF-8.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str, lines: bool = False) -> str:
    r"""Replace what could command a terminal, or show a text other than it is, by escapes.

    Parameters
    ----------
    text : str
    lines : bool
        Whether the text may have several lines; otherwise ends of lines are escaped, too.

    Returns
    -------
    str
        The same text with escapes such as ``\x1b`` and ``\u202e``. It can be encoded as UTF-8.
    """
    return _HARMFUL.sub(
        lambda found: found[0] if lines and found[0] == "\n" else _code(found), text
    )


def _code(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 1 << 8 else f"\\u{code:04x}"


def shortened(text: str, most: int) -> str:
    """Leave out the middle of a text that has more than ``most`` characters."""
    if len(text) <= most:
        return text
    head = max(0, most - 1) // 2
    tail = max(0, most - 1 - head)
    return f"{text[:head]}…{text[len(text) - tail :]}"
