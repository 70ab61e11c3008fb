"""The table of phases, and what SIGTERM does in each of them."""

from __future__ import annotations

import ast
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import napari_btf
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.directions import angles_to_vectors
from napari_btf.running.interrupts import ToBeResumed, resumable
from napari_btf.running.phases import PHASES, phase_named

SOURCES = sorted(Path(napari_btf.__file__).parent.rglob("*.py"))
SIZE = 64
SETTINGS = FitSettings(latents=6, codec="parallax", network=NetworkSettings(epochs=300))
NOTING = ["train", "train slower", "encode", "encode slower"]


def strings(node: ast.AST | None) -> Iterator[str]:
    """The texts that an expression may be."""
    match node:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from strings(body)
            yield from strings(orelse)
        case ast.JoinedStr(values=values):
            for value in values:
                yield from strings(value)


def named_phase(node: ast.expr) -> bool:
    """Whether something is called ``phase``: a name or an attribute."""
    return getattr(node, "id", getattr(node, "attr", "")).endswith("phase")


def reported(tree: ast.AST) -> Iterator[str]:
    """The phases that a module reports: arguments of `Progress`, and values of any ``phase``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Progress"), args=[phase, *_]):
                yield from strings(phase)
            case ast.keyword(arg="phase", value=value):
                yield from strings(value)
            case ast.Assign(targets=[target], value=value) if named_phase(target):
                yield from strings(value)
            case ast.AnnAssign(target=target, value=value) if named_phase(target):
                yield from strings(value)


def test_all_phases_that_are_reported_are_in_the_table_and_no_others() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
    found = {phase for tree in trees for phase in reported(tree)}
    # Of f"{phase} slower", which a training that has diverged reports.
    assert " slower" in found
    found.remove(" slower")
    found |= {f"{name} slower" for name in ("train", "encode")}
    assert sorted(found) == sorted(PHASES)


def test_phases_have_words_of_their_own() -> None:
    words = [phase.words for phase in PHASES.values()]
    assert len(set(words)) == len(words)
    assert all(text == text.lower() for text in words)
    assert phase_named("train slower").label == "Training with smaller steps"
    assert phase_named("another").label == "Another"


def sparkling() -> BTF:
    """A black surface with a white texel in few images: a batch that has one seems to diverge."""
    view = angles_to_vectors(np.array([0.0, 30, 30, 30, 30]), np.arange(5) * 90.0)
    light = angles_to_vectors(np.array([0.0, 40, 40, 40]), np.arange(4) * 120.0)
    frames = np.zeros((20, SIZE, SIZE, 3), dtype=np.uint8)
    # Among the texels that are learned, and among those that are only encoded.
    for i in range(8):
        place = (3 * i) % (SIZE // 2) + (i % 2) * SIZE // 2
        frames[i, place, place] = 255
    return BTF(frames, np.tile(light, (5, 1)), np.repeat(view, 4, axis=0), source="made/sparkling")


def test_which_phases_take_notes() -> None:
    assert [phase.name for phase in PHASES.values() if phase.takes_notes] == NOTING


@pytest.mark.parametrize("phase", NOTING)
def test_sigterm_waits_for_a_last_note(phase: str, tmp_path: Path) -> None:
    # No note before the signal: the one that is found is the last.
    checkpoint = Checkpoint(tmp_path / "notes", every=1e6)
    coords = np.argwhere(np.ones((SIZE // 2, SIZE // 2)))
    seen: list[str] = []

    def stop() -> bool:
        """Come to the encoding soon."""
        return phase.startswith("encode") and "train" in seen

    with pytest.raises(ToBeResumed), resumable(checkpoint.ask) as at:  # noqa: PT012
        for progress in fit(sparkling(), coords, SETTINGS, stop, checkpoint):
            seen.append(progress.phase)
            at(progress.phase)
            if progress.phase == phase and seen.count(phase) == 1:
                signal.raise_signal(signal.SIGTERM)
    assert seen[-1] == phase
    assert checkpoint.is_resumable

    resumed = Checkpoint(tmp_path / "notes", resume=True)
    for progress in fit(sparkling(), coords, SETTINGS, checkpoint=resumed):
        if progress.phase != "read":
            break
    # The last step before the note may have been the first that diverged.
    assert progress.phase.removesuffix(" slower") == phase.removesuffix(" slower")
