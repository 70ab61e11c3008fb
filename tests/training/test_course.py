"""One measure of progress over all phases of a training, and the time left in all of them."""

from __future__ import annotations

import pytest

from napari_btf.progress import Progress
from napari_btf.training.course import Course

EXPECTED = {"read": 2.0, "train": 10.0, "encode": 20.0, "evaluate": 8.0}


def test_the_time_left_is_that_of_all_phases() -> None:
    course = Course(EXPECTED)
    standing = course.standing(Progress("read", 0, 4))
    assert str(standing) == "Step 1 of 4: reading images, about 40 s left in all"
    standing = course.standing(Progress("train", 500, 1000, seconds=2.0))
    assert (standing.number, standing.left) == (2, 38.0)
    standing = course.standing(Progress("train", 750, 1000, seconds=7.0))
    # 5 s for a quarter of it: 5 s more for the other, and 28 s for what follows.
    assert standing.left == 33.0
    assert standing.done == 7 / 40


def test_what_is_to_come_takes_longer_where_the_finished_phases_did() -> None:
    course = Course(EXPECTED)
    course.standing(Progress("read", 0, 4))
    standing = course.standing(Progress("train", 0, 1000, seconds=4.0))
    # Reading took twice as long. The training has a fixed length.
    assert standing.left == 10 + 2 * (20 + 8)


def test_progress_never_goes_back() -> None:
    course = Course(EXPECTED)
    before = course.standing(Progress("train", 900, 1000, seconds=11.0)).done
    # Far slower than expected.
    slow = course.standing(Progress("encode", 0, 100, seconds=12.0))
    slow = course.standing(Progress("encode", 20, 100, seconds=212.0))
    assert slow.left is not None
    assert slow.left >= 800
    assert slow.done >= before


def test_the_first_steps_of_a_phase_say_little() -> None:
    course = Course(EXPECTED)
    course.standing(Progress("train", 0, 1000, seconds=2.0))
    # At this pace the training takes 500 s, but its length is 10 s.
    left = course.standing(Progress("train", 10, 1000, seconds=7.0)).left
    assert left is not None
    assert left == pytest.approx(0.05 * 495 + 0.95 * 5 + 20 + 8)


def test_after_stop_and_keep_only_what_follows_counts() -> None:
    course = Course(EXPECTED)
    course.standing(Progress("train", 10, 1000, seconds=3.0))
    course.stop()
    standing = course.standing(Progress("train", 20, 1000, seconds=4.0))
    assert standing.left == 1 + 20 + 8
    assert course.remaining == "encoding texels, measuring quality"


def test_a_phase_that_diverged_stays_in_its_step() -> None:
    course = Course(EXPECTED)
    course.standing(Progress("encode", 0, 10, seconds=1.0))
    standing = course.standing(Progress("encode slower", 0, 10, seconds=2.0))
    assert (standing.number, standing.words) == (3, "encoding texels with smaller steps")
    # A linear model is fitted in addition.
    assert course.standing(Progress("basis", 0, 1, seconds=3.0)).number == 3


def test_a_length_that_is_unknown_is_not_told_before_it_is_measured() -> None:
    course = Course({"read": 1.0, "train": None, "evaluate": 2.0})
    assert str(course.standing(Progress("read", 0, 1))) == "Step 1 of 3: reading images"
    course.standing(Progress("train", 0, 100, seconds=1.0))
    assert course.standing(Progress("train", 50, 100, seconds=6.0)).left == 5 + 2
