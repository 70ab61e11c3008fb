"""Notifications and tool tips in which names of strangers' files are shown as what they are."""

from __future__ import annotations

import re

from napari.utils import notifications

from napari_btf.wording import printable

__all__ = ["plain", "show_error", "show_info"]

#: An invisible character that no tag of HTML has.
_WORD_JOINER = "\u2060"
#: The beginning of what Qt takes for a tag.
_TAG = re.compile(r"<(?=\s*[A-Za-z/?!])")


def plain(text: str) -> str:
    """Escape what Qt would not show as it is, where a text cannot be declared plain.

    Qt takes a text with a tag, such as a file named ``<img src=x>``, for HTML. A character that is
    not seen is added then, because it is no tag with it.
    """
    text = printable(text, lines=True)
    return _TAG.sub(f"<{_WORD_JOINER}", text)


def show_error(message: str) -> None:
    """Show a notification of an error."""
    notifications.show_error(plain(message))


def show_info(message: str) -> None:
    """Show a notification."""
    notifications.show_info(plain(message))
