"""What the plugin's tests share: a display, a capture on disk, models, docks, notifications."""

from __future__ import annotations

import itertools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import Notification, notification_manager
from npe2 import PluginManager
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QEvent
from train_hand import PATIENCE, Hand

import napari_btf
from napari_btf.plugin.jobs.threads import wait_for_all
from napari_btf.plugin.open_capture import open_path
from napari_btf.plugin.train import Train
from napari_btf.plugin.train.training import training_of
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from small_models import TrainOnce

HEIGHT, WIDTH = 24, 32
VIEWS = ((0, 0), (15, 90))
# With two views 18 observations: enough for a network to be trained, see `imagination`.
LIGHTS = ((0, 0), *itertools.product((30, 60), (0, 90, 180, 270)))

Angles = tuple[int, int]


@dataclass(frozen=True)
class Capture:
    """A capture as it lies on disk, in the order of its files."""

    folder: Path
    files: list[Path]
    frames: list[NDArray[np.uint8]]
    """The pixels of each file, as an independent reader sees them."""

    def truncate(self, i: int) -> Path:
        """Cut the end off one image; its header stays good."""
        content = self.files[i].read_bytes()
        self.files[i].write_bytes(content[: len(content) // 2])
        return self.files[i]


def write_matte_capture(
    folder: Path,
    pairs: Iterable[tuple[Angles, Angles]] = tuple(itertools.product(VIEWS, LIGHTS)),
    suffix: str = ".png",
    grey: bool = False,
) -> Capture:
    """Write a bumpy, coloured, matte surface, one image for each (view, light) in degrees."""
    rng = np.random.default_rng(7)
    normal = np.dstack([rng.normal(0, 0.2, (HEIGHT, WIDTH, 2)), np.ones((HEIGHT, WIDTH))])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    albedo = rng.uniform(0.3, 1.0, (HEIGHT, WIDTH, 3))
    folder.mkdir(parents=True)
    files, frames = [], []
    for i, ((tv, pv), (tl, pl)) in enumerate(pairs):
        t, p = np.deg2rad((tl, pl))
        light = (np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t))
        shade = np.clip(normal @ light, 0.0, 1.0) * np.cos(np.deg2rad(tv))
        image = Image.fromarray(np.uint8(255 * albedo * shade[..., np.newaxis]))
        path = folder / f"{i:05d} tl{tl:03d} pl{pl:03d} tv{tv:03d} pv{pv:03d}{suffix}"
        (image.convert("L") if grey else image).save(path)
        with Image.open(path) as written:
            frames.append(np.asarray(written))
        files.append(path)
    return Capture(folder, files, frames)


# --------------------------------------------------------------------------- display


@pytest.fixture(scope="session")
def display() -> None:
    """A display, without which Qt ends the process."""
    if not sys.platform.startswith("linux"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        reason = "window tests need a display: run them on a desktop or below xvfb-run"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def qapp_args(display: None, qapp_args: list[str]) -> list[str]:
    """Arguments of the application; every test that starts Qt comes past here."""
    return qapp_args


class PatientBot(QtBot):
    """Waits as long as a machine may take that is busy with something else."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE, **options: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **options)


@pytest.fixture
def qtbot(qapp: Any, request: pytest.FixtureRequest) -> PatientBot:
    """The user's hand; widgets that it is given are closed after the test."""
    return PatientBot(request)


# --------------------------------------------------------------------------- data


@pytest.fixture
def make_capture(tmp_path: Path) -> Callable[..., Capture]:
    """Write a capture folder of a given name, see `write_matte_capture`."""
    return lambda name="cloth", **options: write_matte_capture(tmp_path / name, **options)


@pytest.fixture
def capture(make_capture: Callable[..., Capture]) -> Capture:
    """2 views x 9 lights of 24 x 32 texels, in colour."""
    return make_capture()


@pytest.fixture(scope="session")
def model(
    tmp_path_factory: pytest.TempPathFactory, train_once: TrainOnce
) -> napari_btf.CompressedBTF:
    """A model of the capture with both views."""
    folder = tmp_path_factory.mktemp("model") / "cloth"
    return train_once("cloth", lambda: _train(write_matte_capture(folder)))


@pytest.fixture(scope="session")
def one_view_model(
    tmp_path_factory: pytest.TempPathFactory, train_once: TrainOnce
) -> napari_btf.CompressedBTF:
    """A grey model of the first view only."""
    pairs = [(VIEWS[0], light) for light in LIGHTS]
    folder = tmp_path_factory.mktemp("model") / "slate"
    return train_once("slate", lambda: _train(write_matte_capture(folder, pairs, grey=True)))


def _train(capture: Capture) -> napari_btf.CompressedBTF:
    return napari_btf.train(napari_btf.read(capture.folder), latents=4, epochs=20)


# --------------------------------------------------------------------------- viewer and docks


@pytest.fixture
def viewer() -> ViewerModel:
    """A viewer without a window that knows the installed plugins."""
    manager = PluginManager.instance()
    # It reads the manifests of all plugins anew, those of napari included.
    if "napari-btf" not in manager:
        manager.discover()
    return ViewerModel()


@pytest.fixture
def loaded(viewer: ViewerModel, capture: Capture) -> ViewerModel:
    """A viewer without a window in which the capture is open."""
    open_path(viewer, capture.folder)
    return viewer


@pytest.fixture
def open_dock(qtbot: QtBot) -> Callable[[type[QWidget], Any], QWidget]:
    """Show a dock for a viewer, as a window of its own."""

    def open_dock(kind: type[QWidget], viewer: Any) -> QWidget:
        dock = kind(viewer)
        qtbot.addWidget(dock)
        with qtbot.waitExposed(dock):
            dock.show()
        return dock

    return open_dock


@pytest.fixture(autouse=True)
def settings_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder of its own for what docks remember, not that of whoever runs the tests."""
    from napari import settings

    folder = tmp_path_factory.mktemp("settings")
    monkeypatch.setattr(settings, "_CFG_PATH", str(folder / "settings.yaml"))
    # For programs in processes of their own.
    monkeypatch.setenv("NAPARI_CONFIG", str(folder / "settings.yaml"))
    settings._clear_plugin_settings_cache()
    yield folder
    settings._clear_plugin_settings_cache()


@pytest.fixture
def make_hand(qtbot: QtBot, open_dock: Callable[..., Any]) -> Iterator[Callable[..., Hand]]:
    """Open the dock Train for a viewer."""
    viewers: list[Any] = []

    def make_hand(viewer: Any) -> Hand:
        viewers.append(viewer)
        return Hand(qtbot, open_dock(Train, viewer))

    yield make_hand
    # The training belongs to the viewer, which is still there.
    for viewer in viewers:
        training_of(workspace_of(viewer)).cancel()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert wait_for_all(PATIENCE / 1000)


@pytest.fixture
def hand(loaded: ViewerModel, make_hand: Callable[..., Hand]) -> Hand:
    """The dock Train over the open capture."""
    return make_hand(loaded)


@pytest.fixture
def notifications() -> Iterator[list[Notification]]:
    """What napari tells the user during the test."""
    found: list[Notification] = []

    def remember(notification: Notification) -> None:
        found.append(notification)

    notification_manager.notification_ready.connect(remember)
    yield found
    notification_manager.notification_ready.disconnect(remember)
