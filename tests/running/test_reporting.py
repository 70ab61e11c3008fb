from __future__ import annotations

import json

from napari_btf.progress import Progress
from napari_btf.running.reporting import json_lines, lines


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_stand_apart() -> None:
    clock, written = Clock(), []
    report = lines(written.append, clock)
    report(Progress("read", 1, 4))
    report(Progress("read", 4, 4))
    for step in range(200):
        report(Progress("train", step, 200, 0.004, 0.005))
        clock.now += 1.0
    assert written[:4] == [
        "reading images ...",
        "training ...",
        "training: 5 %, 190 s left, error 4.00e-03, validation error 5.00e-03",
        "training: 10 %, 180 s left, error 4.00e-03, validation error 5.00e-03",
    ]
    assert len(written) == 2 + 19


def test_lines_of_a_long_job_stand_farther_apart() -> None:
    clock, written = Clock(), []
    report = lines(written.append, clock)
    for step in range(100_000):
        report(Progress("train", step, 100_000))
        clock.now += 1.0
    assert 100 < len(written) < 500
    assert written[-1].startswith("training: 9")
    assert not any("error" in line for line in written)


def test_what_was_done_before_a_resumed_phase_is_no_measure_of_speed() -> None:
    clock, written = Clock(), []
    report = lines(written.append, clock)
    report(Progress("train", 900, 1000))
    clock.now += 20.0
    report(Progress("train", 910, 1000))
    assert written == ["training ...", "training: 91 %, 180 s left"]


def test_json_has_the_ends_of_each_phase() -> None:
    clock, written = Clock(), []
    report = json_lines(written.append, clock)
    for step in range(31):
        report(Progress("read", step, 30))
        clock.now += 0.125
    report(Progress("train", 0, 9, 0.5))
    found = [json.loads(line) for line in written]
    assert [row["step"] for row in found] == [0, 8, 16, 24, 30, 0]
    assert found[-1] == {
        "phase": "train",
        "step": 0,
        "total": 9,
        "train_error": 0.5,
        "validation_error": None,
        "seconds": 3.875,
    }
