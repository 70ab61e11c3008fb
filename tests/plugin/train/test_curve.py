from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtGui import QColor, QPalette

from napari_btf.plugin.train.curve import Curve

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot


@pytest.fixture
def curve(qtbot: QtBot, display: None) -> Curve:
    curve = Curve()
    qtbot.addWidget(curve)
    curve.resize(300, 160)
    return curve


def pixels(curve: Curve) -> NDArray[np.uint8]:
    """What is on the screen, (H, W, 3)."""
    image = curve.grab().toImage().convertToFormat(curve.grab().toImage().Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), dtype=np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())
    # A copy: the memory is that of the image, which goes when this returns.
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def is_orange(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    red, green, blue = image.astype(int).transpose(2, 0, 1)
    return (red > 150) & (red > green + 40) & (green > blue + 30)


def test_errors_become_decibels(curve: Curve) -> None:
    curve.add(1.0, 0.01, 0.001)
    curve.add(2.0, None, 0.0)
    first, second = curve.points
    assert first == pytest.approx((1.0, 20.0, 30.0))
    assert second[0] == 2.0
    assert np.isnan(second[1:]).all()
    curve.clear()
    assert curve.points == []


def test_a_long_training_is_thinned_out(curve: Curve) -> None:
    for i in range(20_000):
        curve.add(i, 0.1, 0.1)
    seconds = [point[0] for point in curve.points]
    assert 400 < len(seconds) <= 1001
    assert seconds[-1] > 19_900
    assert np.ptp(np.diff(seconds[:-1])) <= 32


@pytest.mark.parametrize(("paper", "ink"), [("#262930", "#f0f1f2"), ("#efebe9", "#3b3a39")])
def test_a_rising_curve_rises_in_both_themes(curve: Curve, paper: str, ink: str) -> None:
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Window, QColor(paper))
    palette.setColor(QPalette.ColorRole.WindowText, QColor(ink))
    curve.setPalette(palette)
    assert not is_orange(pixels(curve)).any()
    for i in range(50):
        curve.add(i, None, 10 ** (-2 - i / 50))
    image = pixels(curve)
    # Without the words above the axes.
    where = is_orange(image[25:])
    columns = np.flatnonzero(where.any(axis=0))
    assert np.ptp(columns) > 200
    heights = [np.flatnonzero(where[:, x]).mean() for x in columns]
    assert heights[0] - heights[-1] > 70
    assert max(heights) < curve.height() - 45


def test_one_point_and_equal_points_can_be_painted(curve: Curve) -> None:
    curve.add(0.0, 0.1, 0.1)
    assert pixels(curve).any()
    curve.add(0.0, 0.1, 0.1)
    assert pixels(curve).any()
