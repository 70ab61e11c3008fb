"""The work of the command `train`: train on one capture, or on several one after the other."""

from __future__ import annotations

import csv
import glob
import io
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_btf.cli.console import (
    check_not_input,
    check_writable,
    fail,
    run,
    say,
    tell,
    tell_json,
)
from napari_btf.cli.options import quality_text, read_capture
from napari_btf.errors import BTFError, UsageError
from napari_btf.files import write_file
from napari_btf.formats import recognises
from napari_btf.running import ranks
from napari_btf.running.interrupts import ToBeResumed, interruptible, resumable
from napari_btf.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.training.options import TrainingOptions

__all__ = ["COLUMNS", "Training", "find_captures", "train_many", "train_one"]

#: Columns of the summary.
COLUMNS = (
    "capture",
    "model",
    "status",
    "psnr_train",
    "psnr_held_out",
    "seconds",
    "bytes_model",
    "bytes_capture",
    "compression_ratio",
    "texels_trained",
    "latents",
    "codec",
    "error",
)
_SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Training:
    """The settings with which captures are read and models are trained.

    Parameters
    ----------
    options : TrainingOptions
    resume : bool
        Whether to continue unfinished trainings.
    pattern, skip_bad, azimuth, mm_per_texel
        How captures are read; see `napari_btf.read`.
    """

    options: TrainingOptions
    resume: bool
    pattern: str | None
    skip_bad: bool
    azimuth: str
    mm_per_texel: float | None = None

    @property
    def files(self) -> list[Path]:
        """The input files that the options name, which must not be overwritten."""
        given = (self.options.texels, self.options.hold_out_lights)
        return [Path(file) for file in given if isinstance(file, (str, os.PathLike))]

    def run(self, capture: Path, out: Path) -> tuple[dict[str, Any], bool]:
        """Train on a capture, write the model, and print notes.

        Returns
        -------
        dict
            Quality, size and time, with the keys of ``train --json``.
        bool
            Whether the user stopped the training early.
        """
        from napari_btf.codec.fitting.checkpoint import Checkpoint, checkpoint_path
        from napari_btf.codec.fitting.processes import world
        from napari_btf.training import train
        from napari_btf.training.keeping import save_or_keep

        is_first = ranks.is_first()
        world()
        options = self.options
        phases: set[str] = set()
        checkpoint = Checkpoint(checkpoint_path(out) if is_first else None, self.resume)
        if checkpoint.is_there and not self.resume:
            path = checkpoint.path
            say(f"note: {path} is an unfinished training; --resume would continue it")
        elif self.resume and is_first and not checkpoint.is_there:
            say(f"note: there is no unfinished training of {out}; a new one starts")
        with interruptible(phases, say) as stop, _resumable(checkpoint) as at:
            btf = read_capture(
                capture, self.pattern, self.skip_bad, self.azimuth, self.mm_per_texel
            )
            held_out = options.held_out(btf)
            coords = options.coords(btf)
            _note_if_fewer(options.pixels, len(coords))
            job = train(btf, coords, options.settings, held_out, stop, checkpoint)
            model, report = run(job, phases, at)
            # A resumed training may have nothing left to do but to encode.
            has_trained = checkpoint.found is not None or "train" in phases
            stopped = stop()
            at(None)
            if not is_first:
                sys.exit(0)
            save_or_keep(model, out)
            checkpoint.remove()
        if checkpoint.failure:
            say(f"note: the training could not write a checkpoint: {checkpoint.failure}")
        if (options.seconds or options.epochs) is not None and not has_trained:
            say("note: this model has a closed form, so --seconds and --epochs have no effect")
        target = options.target_psnr
        if target is not None and report.psnr_train < target:
            say(f"note: the target is {target:g} dB, the model reaches {report.psnr_train:.2f} dB")
        if report.note:
            say(f"note: {report.note}")
        return report.summary(out.stat().st_size), stopped


def _note_if_fewer(asked: int | None, count: int) -> None:
    """Print a note if there are fewer texels than the user asked for."""
    if asked is not None and asked > count:
        say(f"note: --pixels is {asked:,}, but only {count:,} texels can be used; all are used")


@contextmanager
def _resumable(checkpoint: Checkpoint) -> Iterator[Callable[[str | None], None]]:
    """Enter `resumable`; if it ends the training, record whether there is a checkpoint."""
    try:
        with resumable(checkpoint.ask) as at:
            yield at
    except ToBeResumed as end:
        end.noted = checkpoint.is_resumable
        raise


def find_captures(named: Sequence[Path]) -> list[Path]:
    """Expand patterns such as ``captures/*``, and return each capture once.

    Raises
    ------
    UsageError
        If a pattern matches no capture.
    """
    found: list[Path] = []
    for path in named:
        if path.exists() or not glob.has_magic(str(path)):
            found.append(path)
            continue
        matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
        skipped = [match.name for match in matches if not recognises(match)]
        if skipped and len(skipped) < len(matches):
            say(f"note: skipped, since they are no captures: {', '.join(skipped)}")
        # An image stack and its table of angles are one capture, so the table is left out.
        stacks = {match.with_suffix("") for match in matches if match.suffix.lower() != ".csv"}
        captures = [
            match
            for match in matches
            if recognises(match)
            and not (match.suffix.lower() == ".csv" and match.with_suffix("") in stacks)
        ]
        if not captures:
            raise UsageError(path, "it matches no capture", "check the pattern")
        found += captures
    return list(dict.fromkeys(found))


def train_one(capture: Path, out: Path, training: Training, as_json: bool) -> None:
    """Train on one capture, and print quality, size and time."""
    check_not_input(out, capture, *training.files)
    check_writable(out)
    figures, _ = training.run(capture, out)
    if as_json:
        tell_json(figures)
        return
    tell(f"{out}: {quality_text(figures)}")


def train_many(captures: Sequence[Path], folder: Path, training: Training, as_json: bool) -> None:
    """Train on captures one after the other, write a summary, and exit with 1 or 2 on failures."""
    if ranks.rank_count() > 1:
        raise UsageError(
            None, "several processes can train on only one capture", "give --out, not --out-dir"
        )
    models = _model_paths(captures, folder)
    for model in models.values():
        check_not_input(model, *captures, *training.files)
    check_writable(folder / _SUMMARY)
    older = _read_summary(folder / _SUMMARY)
    rows: list[dict[str, Any]] = []
    wrong_input = True
    unwritten: BTFError | None = None
    for number, (capture, model) in enumerate(models.items(), start=1):
        say(f"{number} of {len(models)}: {capture}")
        stopped = False
        if training.resume and model.exists():
            row = older.get(printable(model.name), {}) | {"status": "kept", "error": ""}
            say(f"note: {model} exists already and is kept")
        else:
            try:
                figures, stopped = training.run(capture, model)
                row = {"status": "stopped early" if stopped else "trained", **figures}
                if not as_json:
                    tell(f"{model}: {quality_text(figures)}")
            except KeyboardInterrupt:
                _stop(folder, len(models) - len(rows))
            except Exception as error:
                if os.environ.get("NAPARI_BTF_DEBUG"):
                    raise
                wrong_input &= isinstance(error, BTFError)
                row = {"status": "failed", "error": _sentence(error)}
                say(f"note: {row['error']} The other captures follow.")
        rows.append({"capture": str(capture), "model": model.name, **row})
        unwritten = _write_summary(folder / _SUMMARY, rows)
        if unwritten is not None:
            say(f"note: {unwritten} The other captures follow.")
        if stopped and len(rows) < len(models):
            _stop(folder, len(models) - len(rows))
    if as_json:
        tell_json({"captures": [{key: row.get(key) for key in COLUMNS} for row in rows]})
    failed = [row for row in rows if row["status"] == "failed"]
    for row in failed:
        say(f"failed: {row['capture']}: {row['error']}")
    if failed:
        count = f"{len(failed)} of {len(rows)} captures"
        fail(f"{count} failed, see {folder / _SUMMARY}", 2 if wrong_input else 1)
    if unwritten is not None:
        raise unwritten


def _stop(folder: Path, left: int) -> None:
    """Exit with a message on the captures that are left."""
    captures = "1 capture is" if left == 1 else f"{left} captures are"
    fail(f"stopped; {captures} left, and the same command with --resume continues in {folder}", 1)


def _sentence(error: Exception) -> str:
    """Describe an error in one sentence with a full stop."""
    if isinstance(error, BTFError):
        return str(error)
    return (
        f"Unexpected error ({type(error).__name__}: {error}); "
        "set NAPARI_BTF_DEBUG=1 to see the traceback."
    )


def _model_paths(captures: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the path of the model file of each capture, and check that all differ."""
    models: dict[Path, Path] = {}
    for capture in captures:
        path = capture.resolve()
        name = path.stem if path.suffix == ".zarr" or not path.is_dir() else path.name
        model = folder / f"{name}.safetensors"
        for other, taken in models.items():
            if taken == model:
                raise UsageError(
                    capture,
                    f"its model would have the same name as that of {other}, {model.name}",
                    "train one of them separately, with --out",
                )
        models[capture] = model
    return models


def _read_summary(path: Path) -> dict[str, dict[str, Any]]:
    """Read the rows of an earlier summary, by the names of their models.

    Raises
    ------
    UsageError
        If the file exists but is not a summary.
    """
    if not path.exists():
        return {}
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError("other columns")
        return {row["model"]: dict(row) for row in rows}
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(
            path, "it is not a summary of trainings", "choose another folder, or rename the file"
        ) from error


def _write_summary(path: Path, rows: Sequence[dict[str, Any]]) -> BTFError | None:
    """Write the table of the captures so far; return the error if it cannot be written."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for row in rows:
        # A name may hold bytes that are not UTF-8, or ends of lines.
        plain = {
            key: printable(cell) if isinstance(cell, str) else cell for key, cell in row.items()
        }
        table.writerow(plain)
    try:
        write_file(path, text.getvalue().encode())
    except BTFError as error:
        return error
    return None
