"""The dock Relight: recordings and movies."""

from __future__ import annotations

import builtins
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QFileDialog

from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.relighting import Light, Relighter, find_environment
from napari_btf.relighting.motion import Pose, recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.utils.notifications import Notification
    from pytestqt.qtbot import QtBot

    from napari_btf import CompressedBTF

needs_mp4 = pytest.mark.skipif(
    importlib.util.find_spec("imageio_ffmpeg") is None, reason="the extra movie is not installed"
)


@pytest.fixture
def dock(dock: Relight) -> Relight:
    """The dock with a light beside the normal, and short movies."""
    dock.light_theta.setValue(40)
    dock.light_phi.setValue(10)
    dock.movie.fps.setValue(4)
    dock.movie.seconds.setValue(2)
    return dock


def frames_of(folder: Path) -> list[Any]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


def written(qtbot: QtBot, dock: Relight, path: Path) -> None:
    dock.movie.save(str(path))
    assert dock.movie.running
    assert not dock.movie.save_button.isEnabled()
    qtbot.waitUntil(lambda: not dock.movie.running)
    assert dock.movie.note.text() == f"Wrote {path.name}."


# --------------------------------------------------------------------------- recording


def test_a_recording_has_the_pace_of_the_hand() -> None:
    poses = [
        Pose((60.0, 0.0), (0.0, 0.0)),
        Pose((60.0, 180.0), (10.0, 90.0)),
        Pose((60.0, 180.0), (10.0, 90.0)),
    ]
    way = recorded(poses, [5.0, 6.0, 8.0])
    assert (way.length, way.seconds, way.is_closed) == (3.0, 3.0, False)
    assert way.at(0.25).light == pytest.approx((30, 0))
    assert way.at(1.0) == way.at(2.5) == way.at(3.0) == poses[1]
    assert [pose.light for pose in way.poses(4)] == [p.light for p in (*poses[:2], *poses[1:])]


def test_what_the_hand_does_is_recorded_and_played(qtbot: QtBot, dock: Relight) -> None:
    player = dock.player
    assert player.recording.toolTip() == "Record something first"
    player.recorder.button.click()
    dock.light_theta.setValue(20)
    qtbot.wait(300)
    dock.light_theta.setValue(50)
    dock.view_theta.setValue(15)
    player.recorder.button.click()
    assert player.recorder.motion is not None
    way = player.recorder.motion
    assert way.at(0.0) == Pose((20, 10), (0, 0))
    # It waited there, it did not drift.
    assert way.at(0.15) == Pose((20, 10), (0, 0))
    assert way.at(way.length) == Pose((50, 10), (15, 0))
    assert 0.2 <= way.length < 5
    dock.light_theta.setValue(0)
    player.loop.setChecked(False)
    with qtbot.waitSignal(player.stopped):
        player.recording.click()
    assert (dock.light, dock.view) == ((50, 10), (15, 0))


# --------------------------------------------------------------------------- movies


def test_a_circle_as_images(
    qtbot: QtBot, dock: Relight, model: CompressedBTF, tmp_path: Path
) -> None:
    dock.lights.add.click()
    written(qtbot, dock, tmp_path / "circle")
    frames = frames_of(tmp_path / "circle")
    # Once around, without the first one again; the other light stays.
    lights = [
        [Light(40, azimuth, intensity=0.5) for azimuth in (10, 10 + 45 * i)] for i in range(8)
    ]
    relighter = Relighter(model)
    assert len(frames) == 8
    for frame, lighting in zip(frames, lights, strict=True):
        np.testing.assert_array_equal(frame, relighter.frame(lighting, (0, 0)))


def test_surroundings_and_a_turning_view(
    qtbot: QtBot, dock: Relight, model: CompressedBTF, tmp_path: Path
) -> None:
    dock.view_theta.setValue(12)
    box = dock.environment.choice
    box.setCurrentText("window")
    box.activated.emit(box.currentIndex())
    relighter = Relighter(model)
    written(qtbot, dock, tmp_path / "turned")
    frames = frames_of(tmp_path / "turned")
    np.testing.assert_array_equal(
        frames[3], relighter.frame(find_environment("window", 135), (12, 0))
    )
    dock.movie.motion.setCurrentIndex(dock.movie.motion.findData("view"))
    written(qtbot, dock, tmp_path / "around")
    frames = frames_of(tmp_path / "around")
    np.testing.assert_array_equal(frames[2], relighter.frame(find_environment("window"), (12, 90)))


def test_keyframes_need_to_be_there(qtbot: QtBot, dock: Relight, tmp_path: Path) -> None:
    dock.movie.motion.setCurrentIndex(dock.movie.motion.findData("keyframes"))
    assert dock.movie.save_button.toolTip() == "Add two keyframes first"
    dock.player.add.click()
    dock.light_phi.setValue(100)
    dock.player.add.click()
    assert dock.movie.save_button.isEnabled()
    written(qtbot, dock, tmp_path / "keys.gif")
    with Image.open(tmp_path / "keys.gif") as image:
        assert (image.size, image.n_frames) == ((32, 24), 8)


@needs_mp4
def test_mp4_from_the_dialog(
    qtbot: QtBot, dock: Relight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (str(tmp_path / "circle"), "MP4 movie (*.mp4)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: asked)
    dock.movie.save_button.click()
    qtbot.waitUntil(lambda: not dock.movie.running)
    import imageio_ffmpeg

    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "circle.mp4"))
    assert (count, seconds) == (8, pytest.approx(2))


def test_mp4_without_its_package(
    dock: Relight,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Notification],
) -> None:
    real_import = builtins.__import__

    def no_ffmpeg(name: str, *rest: Any, **how: Any) -> Any:
        if name == "imageio_ffmpeg":
            raise ImportError(name)
        return real_import(name, *rest, **how)

    monkeypatch.setattr(builtins, "__import__", no_ffmpeg)
    dock.movie.save(str(tmp_path / "circle.mp4"))
    assert not dock.movie.running
    assert 'pip install "napari-btf[movie]"' in notifications[0].message
    assert list(tmp_path.glob("*.mp4")) == []


@pytest.mark.parametrize("name", ["circle", "circle.gif", pytest.param("c.mp4", marks=needs_mp4)])
def test_a_cancelled_movie_leaves_nothing(
    qtbot: QtBot, dock: Relight, tmp_path: Path, name: str
) -> None:
    before = sorted(tmp_path.iterdir())
    dock.movie.seconds.setValue(600)
    dock.movie.save(str(tmp_path / name))
    qtbot.waitUntil(lambda: dock.movie.note.text().startswith("Frame "))
    dock.movie.cancel_button.click()
    assert not dock.movie.running
    assert wait_for_all(10)
    assert sorted(tmp_path.iterdir()) == before
    assert dock.movie.save_button.isEnabled()


def test_another_model_does_not_change_a_movie(
    qtbot: QtBot,
    loaded: ViewerModel,
    dock: Relight,
    model: CompressedBTF,
    one_view_model: CompressedBTF,
    tmp_path: Path,
) -> None:
    dock.movie.save(str(tmp_path / "circle"))
    workspace_of(loaded).models.current = one_view_model
    dock.hide()
    qtbot.waitUntil(lambda: not dock.movie.running)
    frames = frames_of(tmp_path / "circle")
    np.testing.assert_array_equal(frames[1], Relighter(model).frame((40, 55), (0, 0)))
    assert len(frames) == 8


def test_a_movie_goes_on_without_its_dock_and_the_next_one_takes_it_up(
    qtbot: QtBot,
    loaded: ViewerModel,
    model: CompressedBTF,
    open_dock: Callable[..., Any],
    tmp_path: Path,
) -> None:
    before = sorted(tmp_path.iterdir())
    workspace_of(loaded).models.current = model
    dock = Relight(loaded)
    dock.show()
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    dock.movie.seconds.setValue(600)
    dock.movie.save(str(tmp_path / "circle"))
    qtbot.waitUntil(lambda: dock.movie.note.text().startswith("Frame "))
    with qtbot.waitSignal(dock.destroyed):
        dock.close()
        dock.deleteLater()
    again = open_dock(Relight, loaded).movie
    assert again.running
    assert again.save_button.toolTip() == "A movie is being written"
    qtbot.waitUntil(lambda: again.note.text().startswith("Frame "))
    again.cancel_button.click()
    assert not again.running
    qtbot.waitUntil(lambda: wait_for_all(0))
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_names_are_told(
    dock: Relight, tmp_path: Path, notifications: list[Notification]
) -> None:
    dock.movie.save(str(tmp_path / "circle.avi"))
    dock.movie.save(str(tmp_path))
    assert [n.message.split(": ")[1].split(";")[0] for n in notifications] == [
        "movies are not written as .avi",
        "it exists already",
    ]
    assert not dock.movie.running
