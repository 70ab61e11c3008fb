"""The page of `rate_distortion.py`: tables and a plot of its rows."""

from __future__ import annotations

import math
from pathlib import Path
from textwrap import fill
from typing import Any

from napari_btf.baselines import BASELINES

Row = dict[str, Any]

MODEL = "napari-btf"
#: Those that come in one size.
FIXED = ("PTM", "HSH 9", "HSH 16")

INTRODUCTION = """# Benchmarks

Quality against size: the codecs of napari-btf and classical ones, fitted to the same observations
and allowed the same number of bytes. `python benchmarks/rate_distortion.py --write` writes this
page. `napari-btf evaluate` makes the same comparison for a model and a capture of yours.

- **PSNR** is 10 log₁₀(1 / MSE) in dB, from one MSE over all images, with predictions clamped to
  the range of the values. **SSIM** is the mean over the images.
- *Seen* directions are those the codec was fitted to: they measure compression. *Unseen* ones were
  held out: they measure generation. A cell says **seen / unseen**, PSNR above SSIM. A dash stands
  where nothing was held out.
- **Sizes** count everything: the data of the texels, the decoder and the directions. The size of a
  model is that of its file. All codecs of a row may take the same number of bytes. If the model
  took less than 19/20 of them, its size stands below its figures.
- **PCA** keeps its latents in 8 bits and its basis in 16, and has as many latents as the bytes
  allow. The smoothing of its spline is chosen by cross-validation.
- **Photographs** (nearest, inverse distance, thin-plate) are kept as raw pixels, as many as fit,
  spread over the directions.
- **PTM** and **HSH** have 6, 9 or 16 coefficients for each texel and channel, in 8 bits. They have
  only one size, so they stand in a second table, with interpolation of *all* photographs, whose
  size is that of the capture.
{trainings}

![PSNR against bytes per texel](images/rate_distortion.png)
"""

SOURCES = """
## Data

- *wallpaper*: Bonn BTF database UBO2003 (Sattler, Sarlette and Klein, 2003), one view, 256 × 256.
  Held out are the lights `RandomState(1).permutation(81)[:16]`.
- *weave*: path-traced cloth, all views and lights at 64 × 64. A part of it ships as the sample.
- *SynthRTI* and *RealRTI*: T. G. Dulecha, F. A. Fanni, F. Ponchio, F. Pellacini and A. Giachetti,
  "Neural reflectance transformation imaging", The Visual Computer, 2020. Of SynthRTI, *Dome* is
  fitted and *Test* is scored.
- *loewenkopf*: an RTI dome of 240 lights.

Where every 6th light is held out, these are the lights 5, 11, 17, … (counted from 0).
"""


def page(rows: list[Row], titles: dict[str, str]) -> str:
    parts = [INTRODUCTION.format(trainings=_trainings(rows))]
    for name, title in titles.items():
        own = [row for row in rows if row["data"] == name]
        if own:
            parts.append(f"\n## {title}\n\n" + _by_size(own) + "\n" + _others(own))
    return "".join(parts) + SOURCES


def _trainings(rows: list[Row]) -> str:
    """How long the models were trained, and by which codec: an item of the list."""
    spent = {row["data"]: row["training"] for row in rows if row["method"] == MODEL}
    given = [f"{name} {seconds:g}" for name, seconds in spent.items() if seconds is not None]
    exceptions = f", except (in seconds) {', '.join(given)}" if given else ""
    text = (
        f"- **Trainings** have the length that the codec chooses{exceptions}, on two cores. "
        "*napari-btf* is the codec that `train` chooses: parallax for weave, neural-basis for the "
        "others."
    )
    return fill(text, 100, subsequent_indent="  ")


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    lines = []
    for metric, digits in (("psnr", 2), ("ssim", 3)):
        seen, unseen = (figure(row[f"{metric}_{which}"], digits) for which in ("seen", "unseen"))
        lines.append(f"{seen} / {unseen}")
    if row["method"] == MODEL and row["bytes"] < 0.95 * row["budget"]:
        lines.append(f"({row['bytes'] / 1e3:.0f} kB)")
    return "<br>".join(lines)


def _by_size(rows: list[Row]) -> str:
    methods = [MODEL, *(m for m in BASELINES if m not in FIXED)]
    methods = [m for m in methods if any(row["method"] == m for row in rows)]
    lines = [
        "| kB | ratio | " + " | ".join(methods) + " |",
        "| ---: | ---: |" + " --- |" * len(methods),
    ]
    for budget in sorted({row["budget"] for row in rows if row["budget"]}):
        found = {row["method"]: row for row in rows if row["budget"] == budget}
        ratio = rows[0]["bytes_capture"] / budget
        cells = " | ".join(_cell(found.get(method)) for method in methods)
        lines.append(f"| {budget / 1e3:.0f} | {ratio:.1f} | {cells} |")
    return "\n".join(lines) + "\n"


def _others(rows: list[Row]) -> str:
    """Make the table of methods with a fixed size, and of interpolation of all photographs."""
    lines = ["| codec | kB | ratio | seen / unseen |", "| --- | ---: | ---: | --- |"]
    told = set()
    for row in sorted(rows, key=lambda row: int(row["bytes"])):
        key = row["method"], row["bytes"]
        if (row["method"] in FIXED or row["budget"] is None) and key not in told:
            told.add(key)
            ratio = row["bytes_capture"] / row["bytes"]
            lines.append(
                f"| {row['method']}, {row['note']} | {row['bytes'] / 1e3:.0f} | {ratio:.1f} | "
                f"{_cell(row)} |"
            )
    return "\n".join(lines) + "\n"


def plot(rows: list[Row], titles: dict[str, str], path: Path) -> None:
    """Plot PSNR over bytes per texel, with solid lines for unseen, dashed for seen directions."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    names = [name for name in titles if any(row["data"] == name for row in rows)]
    colours = {m: f"C{i}" for i, m in enumerate([MODEL, *BASELINES])}
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.3 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for axis, name in zip(axes, names, strict=False):
        for method, colour in colours.items():
            own = [r for r in rows if (r["data"], r["method"]) == (name, method) and r["budget"]]
            own = sorted({r["bytes"]: r for r in own}.values(), key=lambda r: int(r["bytes"]))
            for key, style in (("psnr_seen", "--"), ("psnr_unseen", "-")):
                points = [
                    (r["bytes"] / r["texels"], r[key])
                    for r in own
                    if r[key] is not None and math.isfinite(r[key]) and r[key] < 100
                ]
                if points:
                    marker = "s" if method in FIXED else "o"
                    hollow = "none" if key == "psnr_seen" else colour
                    axis.plot(
                        *zip(*points, strict=True),
                        style,
                        color=colour,
                        marker=marker,
                        markersize=4,
                        markerfacecolor=hollow,
                        linewidth=1.2,
                    )
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_title(titles[name], fontsize=9)
        axis.grid(alpha=0.3)
        axis.set_xlabel("bytes per texel", fontsize=8)
        axis.set_ylabel("PSNR, dB", fontsize=8)
        axis.tick_params(labelsize=8)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    handles = [
        Line2D([], [], color=c, marker="s" if m in FIXED else "o", label=m, markersize=4)
        for m, c in colours.items()
    ]
    handles += [
        Line2D([], [], color="0.3", linestyle=style, label=label)
        for style, label in (("-", "unseen directions"), ("--", "seen directions"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def figure(value: float | None, digits: int = 2) -> str:
    if value is None or math.isnan(value):
        return "–"
    return "exact" if math.isinf(value) or value > 100 else f"{value:.{digits}f}"
