"""Reports of an evaluation: a text table, and a CSV file with one line per observation."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from napari_btf.files import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from napari_btf.evaluate.figures import Evaluation, Scores

__all__ = ["table", "write_directions"]

_COLUMNS = ("psnr_seen", "psnr_unseen", "ssim_seen", "ssim_unseen")


def table(found: Evaluation, name: str = "this model") -> str:
    """Format a text table of model and baselines, with seen and unseen directions apart.

    Parameters
    ----------
    found : Evaluation
    name : str
        Label of the model's row.
    """
    width = max(len(name), *(len(row.name) for row in found.baselines), 0)
    unseen = len(found.light) - int(found.scores.seen.sum())
    lines = [
        f"{len(found.light):,} images, {unseen:,} of them under directions not trained on; "
        f"{found.bytes_capture:,} bytes of pixels",
        f"model: {found.bytes_latents:,} bytes of latents + {found.bytes_decoder:,} of decoder",
        "",
        " " * width + f"{'':>14}{'':>9}{'PSNR, dB':>18}{'SSIM':>16}",
        " " * width + f"{'bytes':>14}{'ratio':>9}" + f"{'seen':>10}{'unseen':>8}" * 2,
    ]

    def row(label: str, nbytes: int, scores: Scores, note: str) -> str:
        totals = scores.totals()
        figures = [
            _figure(totals[key], digits) for key, digits in zip(_COLUMNS, (2, 2, 3, 3), strict=True)
        ]
        cells = f"{figures[0]:>10}{figures[1]:>8}{figures[2]:>10}{figures[3]:>8}"
        ratio = found.bytes_capture / nbytes
        return f"{label:<{width}}{nbytes:>14,}{ratio:>9.1f}{cells}  {note}".rstrip()

    lines.append(row(name, found.bytes_model, found.scores, ""))
    for baseline in found.baselines:
        if baseline.scores is None or baseline.nbytes is None:
            lines.append(f"{baseline.name:<{width}}  ({baseline.note})")
            continue
        note = baseline.note
        if baseline.nbytes > found.bytes_model:
            note += "; larger than the model"
        lines.append(row(baseline.name, baseline.nbytes, baseline.scores, note))
    return "\n".join(lines)


def write_directions(found: Evaluation, path: str | Path) -> Path:
    """Write `Evaluation.directions` as CSV, one line per observation; NaN becomes an empty cell.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    rows = found.directions()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        psnr, ssim = (_figure(row[key], digits, "") for key, digits in (("psnr", 4), ("ssim", 5)))
        writer.writerow(row | {"seen": int(row["seen"]), "psnr": psnr, "ssim": ssim})
    return write_file(path, text.getvalue().encode())


def _figure(value: float, digits: int, nothing: str = "-") -> str:
    """Format a value; ``nothing`` replaces NaN, and infinity becomes "inf"."""
    return nothing if math.isnan(value) else f"{value:.{digits}f}"
