"""The training loop, on a line that is fitted to noisy points."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_btf.codec.fitting.adam import Adam, put
from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.codec.fitting.loop import Loop
from napari_btf.codec.fitting.stage import Stage
from napari_btf.progress import Progress, finish
from napari_btf.running.interrupts import ToBeResumed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LINE = torch.tensor([2.0, -1.0])


class Line:
    """Slope and intercept, learned from random points near `LINE`.

    Parameters
    ----------
    rate : float
        The full learning rate.
    spoiled : dict
        What both parameters become before some batches, as if the last step had gone wrong.
    """

    def __init__(self, rate: float = 0.1, spoiled: dict[int, float] | None = None) -> None:
        self.random = np.random.default_rng(0)
        self.line = torch.zeros(2, requires_grad=True)
        self.validate: Callable[[], float] | None = None
        #: The line that each step has left, the first one that of no step.
        self.seen: list[list[float]] = []
        self._rate, self._spoiled = rate, spoiled or {}

    @property
    def tensors(self) -> list[torch.Tensor]:
        return [self.line]

    def restore(self, state: Sequence[torch.Tensor]) -> None:
        put(self.tensors, state)

    def optimizer(self) -> Adam:
        return Adam([{"params": [self.line], "lr": self._rate}])

    def gradients(self) -> float:
        batch = len(self.seen)
        self.seen.append(self.line.tolist())
        if batch in self._spoiled:
            self.line.detach().fill_(self._spoiled[batch])
        x = torch.from_numpy(self.random.uniform(-1.0, 1.0, 32).astype(np.float32))
        noise = torch.from_numpy(self.random.normal(0.0, 0.1, 32).astype(np.float32))
        slope, intercept = self.line - LINE
        error = ((slope * x + intercept - noise) ** 2).mean()
        error.backward()  # type: ignore[no-untyped-call]
        return error.item()


class ValidatedLine(Line):
    """The same line, validated by its distance from `LINE`."""

    def __init__(self, rate: float = 0.1, spoiled: dict[int, float] | None = None) -> None:
        super().__init__(rate, spoiled)
        self.validate = self._distance
        self.distances: list[float] = []

    def _distance(self) -> float:
        self.distances.append(float(((self.line.detach() - LINE) ** 2).sum()))
        return self.distances[-1]


KINDS = pytest.mark.parametrize("kind", [Line, ValidatedLine])


@pytest.fixture(autouse=True)
def a_report_before_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_btf.codec.fitting.loop.REPORT_SECONDS", -1.0)


def trained(task: Line, stage: Stage, checkpoint: Checkpoint | None = None) -> list[Progress]:
    """Train for a whole stage; its reports."""
    reports: list[Progress] = []
    finish(Loop(task, stage, checkpoint).run(), reports.append)
    return reports


@KINDS
def test_it_learns_and_reports(kind: type[Line]) -> None:
    task = kind()
    reports = trained(task, Stage("second", 200, phase="encode", first=0.5))
    np.testing.assert_allclose(task.line.detach(), LINE, atol=0.1)
    assert {report.phase for report in reports} == {"encode"}
    steps = [report.step for report in reports]
    assert (steps[0], steps[1], steps[-1], len(steps)) == (500, 502, 1000, 201)
    assert reports[-1].train_error == pytest.approx(0.01, abs=0.005)
    assert (reports[-1].validation_error is None) == (kind is Line)


@pytest.mark.parametrize("value", [1e3, np.nan])
# A batch proves the state before a step, a validation the one after it.
@pytest.mark.parametrize(("kind", "kept"), [(Line, 10), (ValidatedLine, 11)])
def test_a_divergence_goes_back_with_half_the_step(
    kind: type[Line], kept: int, value: float
) -> None:
    task = kind(spoiled={11: value})
    reports = trained(task, Stage("all", 20, decays=False, interval=0.0))
    assert task.seen[12] == task.seen[kept]
    for before, after, size in ((0, 1, 0.1), (12, 13, 0.05)):
        step = np.abs(np.subtract(task.seen[after], task.seen[before]))
        np.testing.assert_allclose(step, size, rtol=1e-3)
    phases = [report.phase for report in reports]
    assert phases == ["train"] * 12 + ["train slower"] * 9
    assert np.isfinite(task.line.tolist()).all()


@KINDS
def test_a_divergence_in_the_last_step_goes_back(kind: type[Line]) -> None:
    task = kind(rate=1e30)
    reports = trained(task, Stage("all", 1, warm_up=0.0))
    assert task.line.tolist() == [0.0, 0.0]
    assert reports[-1].step == 1000


@KINDS
def test_what_diverges_again_and_again_stays_as_it_was(kind: type[Line]) -> None:
    task = kind(rate=1e30)
    reports = trained(task, Stage("all", 50))
    assert task.line.tolist() == [0.0, 0.0]
    assert reports[-1].phase == "train slower"


def test_the_best_state_is_kept() -> None:
    task = ValidatedLine(rate=0.5)
    trained(task, Stage("all", 60, decays=False, interval=0.0))
    best = min(task.distances)
    assert best < task.distances[-1]
    assert float(((task.line.detach() - LINE) ** 2).sum()) == best


@KINDS
@pytest.mark.parametrize("decays", [True, False])
def test_resumed_it_is_as_if_nothing_had_happened(
    kind: type[Line], decays: bool, tmp_path: Path
) -> None:
    stage = Stage("all", 100, decays=decays, facts={"more": 3})
    undisturbed = kind(spoiled={20: 1e3, 60: 1e3})
    reports = trained(undisturbed, stage)
    first, checkpoint = kind(spoiled={20: 1e3}), Checkpoint(tmp_path / "notes", every=0.0)
    job = Loop(first, stage, checkpoint).run()
    for _ in job:
        if len(first.seen) == 40:
            break
    job.close()
    found = Checkpoint(tmp_path / "notes", resume=True)
    found.open("")
    assert found.found is not None
    assert found.found.facts["more"] == 3
    resumed = kind(spoiled={20: 1e3})
    assert trained(resumed, stage, found) == reports[40:]
    assert resumed.seen == undisturbed.seen[40:]
    assert resumed.line.tolist() == undisturbed.line.tolist()
    # Of another stage it is no matter.
    other = kind()
    trained(other, Stage("other", 5), found)
    assert other.seen[0] == [0.0, 0.0]


@KINDS
def test_a_stage_in_two_parts_is_the_same(kind: type[Line]) -> None:
    task, undisturbed, stage = kind(), kind(), Stage("all", 50)
    loop = Loop(task, stage)
    reports: list[Progress] = []
    finish(loop.run(until=7), reports.append)
    assert (loop.step, reports[-1].step) == (7, 140)
    finish(loop.run())
    trained(undisturbed, stage)
    assert task.seen == undisturbed.seen
    assert task.line.tolist() == undisturbed.line.tolist()


def test_a_pause_between_reports_is_not_training() -> None:
    task = Line()
    for i, report in enumerate(Loop(task, Stage("all", None, seconds=0.4)).run()):
        assert report.step <= 1000
        if i < 5:
            time.sleep(0.2)
    assert len(task.seen) > 10


@pytest.mark.parametrize(("steps", "seconds"), [(10**9, 0.2), (30, 600.0)])
def test_steps_and_seconds_end_it_whichever_is_first(steps: int, seconds: float) -> None:
    task, start = ValidatedLine(), time.monotonic()
    reports = trained(task, Stage("all", steps, seconds))
    assert reports[-1].step == 1000
    assert time.monotonic() - start < 60
    assert (len(task.seen) == 30) == (steps == 30)


@KINDS
def test_a_stop_ends_it_in_a_good_state(kind: type[Line]) -> None:
    task = kind()
    reports: list[Progress] = []
    loop = Loop(task, Stage("all", 10**9, warm_up=0.0))
    finish(loop.run(stop=lambda: len(task.seen) >= 30), reports.append)
    assert (loop.step, reports[-1].step) == (30, 1000)
    np.testing.assert_allclose(task.line.detach(), LINE, atol=0.3)


def test_asked_to_end_it_takes_a_note_first(tmp_path: Path) -> None:
    task, checkpoint = Line(), Checkpoint(tmp_path / "notes", every=1e6)
    job = Loop(task, Stage("all", 1000), checkpoint).run()
    next(job)
    assert not checkpoint.is_there
    checkpoint.ask()
    with pytest.raises(ToBeResumed):
        finish(job)
    assert checkpoint.is_there
    assert len(task.seen) == 1


def test_rates_warm_up_and_follow_a_cosine() -> None:
    stage = Stage("all", 100, warm_up=0.1, least_rate=0.25)
    done = np.array([0.0, 0.099, 0.5, 1.0, 1.2])
    cosine = 0.5 + 0.5 * np.cos(np.pi * np.minimum(done, 1.0))
    expected = 8.0 * np.array([0.01, 1.0, 1.0, 1.0, 1.0]) * cosine + 0.25
    np.testing.assert_allclose([stage.rate(8.0, share) for share in done], expected)
    constant = Stage("all", 100, decays=False)
    assert [constant.rate(8.0, share) for share in done] == [8.0] * 5
