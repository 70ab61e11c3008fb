"""A window with the section of the documentation that explains a dock. It needs no network."""

from __future__ import annotations

import re
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

import napari_btf

__all__ = ["section", "show_help"]

_PAGE = Path("docs", "using.md")
_MISSING = "The documentation is not part of this installation: see docs/using.md of the project."
#: Width and height of the window in pixels.
_SIZE = 620, 520


def show_help(parent: QWidget, name: str) -> None:
    """Open a window with a section; it stays open beside the docks until it is closed."""
    window = QDialog(parent)
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    window.setWindowTitle(f"{name}: help")
    text = QTextBrowser()
    # Links lead to other pages, which a browser for one section does not have.
    text.setOpenLinks(False)
    text.setMarkdown(section(name))
    column = QVBoxLayout(window)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(text)
    window.resize(*_SIZE)
    window.show()


def section(name: str) -> str:
    """Return the text below a heading of the page *Using it*, without its pictures and links."""
    lines = _page().splitlines()
    heading = f"### {name}"
    if heading not in lines:
        return _MISSING
    start = lines.index(heading)
    after = (i for i in range(start + 1, len(lines)) if re.match("#{1,3} ", lines[i]))
    text = "\n".join(lines[start : next(after, len(lines))])
    text = re.sub(r"!\[[^]]*\]\([^)]*\)\n*", "", text)
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)


def _page() -> str:
    package = Path(napari_btf.__file__).parent
    # A wheel has the page inside of the package, a checkout beside `src`.
    for folder in (package, package.parents[1]):
        try:
            return (folder / _PAGE).read_text(encoding="utf-8")
        except OSError:
            continue
    return ""
