"""What `train` does with a capture, and with several."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.training.options import TrainingOptions

__all__ = ["COLUMNS", "Training", "find_captures", "train_many", "train_one"]

#: Of the summary.
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
    """How captures are read and trained on."""

    options: TrainingOptions
    resume: bool
    pattern: str | None
    skip_bad: bool
    azimuth: str

    @property
    def files(self) -> list[Path]:
        """The files that its options name."""
        given = (self.options.texels, self.options.hold_out_lights)
        return [Path(file) for file in given if isinstance(file, (str, os.PathLike))]

    def run(self, capture: Path, out: Path) -> tuple[dict[str, Any], bool]:
        """Train, write the model, and say what there is to say.

        Returns
        -------
        dict
            The figures.
        bool
            Whether it was stopped early.
        """
        from napari_btf.codec.fitting.checkpoint import Checkpoint, checkpoint_path
        from napari_btf.codec.fitting.processes import world
        from napari_btf.training import train

        is_first = ranks.is_first()
        world()
        options = self.options
        phases: set[str] = set()
        checkpoint = Checkpoint(checkpoint_path(out) if is_first else None, self.resume)
        if checkpoint.is_there and not self.resume:
            path = checkpoint.path
            say(f"note: {path} is an unfinished training; --resume would go on from there")
        elif self.resume and is_first and not checkpoint.is_there:
            say(f"note: there is no unfinished training of {out}; it starts anew")
        with interruptible(phases, say) as stop, _resumable(checkpoint) as at:
            btf = read_capture(capture, self.pattern, self.skip_bad, self.azimuth)
            held_out = options.held_out(btf)
            coords = options.coords(btf)
            _say_if_fewer(options.pixels, len(coords))
            job = train(btf, coords, options.settings, held_out, stop, checkpoint)
            model, report = run(job, phases, at)
            # A resumed training may have nothing left to do but to encode.
            has_trained = checkpoint.found is not None or "train" in phases
            stopped = stop()
            at(None)
            if not is_first:
                sys.exit(0)
            model.save(out)
            checkpoint.remove()
        if checkpoint.failure:
            say(f"note: the training could not be noted on the way: {checkpoint.failure}")
        if (options.seconds or options.epochs) is not None and not has_trained:
            say("note: there was nothing to train, this model has a closed form")
        target = options.target_psnr
        if target is not None and report.psnr_train < target:
            say(f"note: {target:g} dB were asked for, {report.psnr_train:.2f} dB were reached")
        if report.note:
            say(f"note: {report.note}")
        return report.summary(out.stat().st_size), stopped


def _say_if_fewer(asked: int | None, count: int) -> None:
    """Note that fewer texels are there than were asked for."""
    if asked is not None and asked > count:
        say(
            f"note: {asked:,} texels were asked for, there are {count:,}; all of them are "
            "trained on"
        )


@contextmanager
def _resumable(checkpoint: Checkpoint) -> Iterator[Callable[[str | None], None]]:
    """`resumable`, which leaves word whether there are notes."""
    try:
        with resumable(checkpoint.ask) as at:
            yield at
    except ToBeResumed as end:
        end.noted = checkpoint.is_resumable
        raise


def find_captures(named: Sequence[Path]) -> list[Path]:
    """The captures of names and patterns, each once.

    Raises
    ------
    UsageError
        If a pattern finds none.
    """
    found: list[Path] = []
    for path in named:
        if path.exists() or not glob.has_magic(str(path)):
            found.append(path)
            continue
        matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
        passed_over = [match.name for match in matches if not recognises(match)]
        if passed_over and len(passed_over) < len(matches):
            say(f"note: no captures, and passed over: {', '.join(passed_over)}")
        # The table of a stack stands for the same capture as the stack.
        stacks = {match.with_suffix("") for match in matches if match.suffix.lower() != ".csv"}
        captures = [
            match
            for match in matches
            if recognises(match)
            and not (match.suffix.lower() == ".csv" and match.with_suffix("") in stacks)
        ]
        if not captures:
            raise UsageError(path, "it names no capture", "check the pattern")
        found += captures
    return list(dict.fromkeys(found))


def train_one(capture: Path, out: Path, training: Training, as_json: bool) -> None:
    """Train on a capture, and print the figures."""
    check_not_input(out, capture, *training.files)
    check_writable(out)
    figures, _ = training.run(capture, out)
    if as_json:
        tell_json(figures)
        return
    tell(f"{out}: {quality_text(figures)}")


def train_many(captures: Sequence[Path], folder: Path, training: Training, as_json: bool) -> None:
    """Train on captures one after the other, write a summary, and end with the right code."""
    if ranks.rank_count() > 1:
        raise UsageError(None, "several processes train one capture", "give --out, not --out-dir")
    models = _model_paths(captures, folder)
    for model in models.values():
        check_not_input(model, *captures, *training.files)
    check_writable(folder / _SUMMARY)
    older = _read_summary(folder / _SUMMARY)
    rows: list[dict[str, Any]] = []
    wrong_input = True
    for number, (capture, model) in enumerate(models.items(), start=1):
        say(f"{number} of {len(models)}: {capture}")
        stopped = False
        if training.resume and model.exists():
            row = older.get(model.name, {}) | {"status": "kept", "error": ""}
            say(f"note: {model} is there already")
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
                row = {"status": "failed", "error": _words(error)}
                say(f"note: {row['error']} Going on with the others.")
        rows.append({"capture": str(capture), "model": model.name, **row})
        _write_summary(folder / _SUMMARY, rows)
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


def _stop(folder: Path, left: int) -> None:
    captures = "1 capture is" if left == 1 else f"{left} captures are"
    fail(f"stopped; {captures} left, and the same command with --resume goes on in {folder}", 1)


def _words(error: Exception) -> str:
    if isinstance(error, BTFError):
        return str(error)
    return (
        f"This should not have happened ({type(error).__name__}: {error}); "
        "set NAPARI_BTF_DEBUG=1 to see where."
    )


def _model_paths(captures: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Where the model of each capture goes."""
    models: dict[Path, Path] = {}
    for capture in captures:
        path = capture.resolve()
        name = path.stem if path.suffix == ".zarr" or not path.is_dir() else path.name
        model = folder / f"{name}.safetensors"
        for other, taken in models.items():
            if taken == model:
                raise UsageError(
                    capture,
                    f"its model would have the name of that of {other}, {model.name}",
                    "train one of them by itself, with --out",
                )
        models[capture] = model
    return models


def _read_summary(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier summary, by the names of their models.

    Raises
    ------
    UsageError
        If there is a file of that name that is none.
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
            path, "it is no summary of trainings", "choose another folder, or rename it"
        ) from error


def _write_summary(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_file(path, text.getvalue().encode())
