"""The errors that a user can cause and correct.

Every message is one sentence that names the file, says what was expected and what to do. The
command line exits with code 2 after such an error, and napari shows a notification. Any other
exception is a defect of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.wording import LONGEST, printable, shortened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BTFError",
    "CaptureError",
    "CoordinatesError",
    "ModelFileError",
    "ProcessLostError",
    "StoreError",
    "UsageError",
]


#: A path in a sentence is not shortened below this number of characters.
_SHORT_PATH = 60


class BTFError(Exception):
    """Base of all errors that name a wrong input and its remedy.

    Parameters
    ----------
    path : str or Path or None
        The file or folder with the problem; None if the problem concerns no file.
    problem : str
        What was found and what was expected.
    remedy : str
        What the user can do; may be empty.
    """

    def __init__(self, path: str | Path | None, problem: str, remedy: str = "") -> None:
        self.path = None if path is None else str(path)
        self.problem = problem
        self.remedy = remedy
        super().__init__(self.path, problem, remedy)

    def __str__(self) -> str:
        end = f"; {printable(self.remedy)}." if self.remedy else "."
        end = shortened(end, 2 * LONGEST // 3)
        start = "" if self.path is None else f"{printable(self.path)}: "
        problem = printable(self.problem)
        # The path gives way first, because the user has named it.
        start = shortened(start, max(_SHORT_PATH, LONGEST - len(end) - len(problem)))
        return f"{start}{shortened(problem, LONGEST - len(end) - len(start))}{end}"


class CaptureError(BTFError):
    """A capture cannot be read, because of its folder, file names, images or directions."""


class CoordinatesError(BTFError):
    """A coordinates CSV or a selection of texels cannot be used."""


class ModelFileError(BTFError):
    """A model file cannot be read or written."""


class ProcessLostError(BTFError):
    """A process that shared the work, or the scheduler of the cluster, ended too early."""


class StoreError(BTFError):
    """A texel store cannot be written."""


class UsageError(BTFError):
    """A setting is out of range or does not suit the data."""
