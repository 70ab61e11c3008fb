"""The whole plugin in a window of napari, down to the pixels."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QProgressBar, QPushButton
from superqt.utils import GeneratorWorker

import napari_btf
from napari_btf.plugin.compare import Compare
from napari_btf.plugin.directions import Directions
from napari_btf.plugin.latent_space import LatentSpace
from napari_btf.plugin.relight import Relight
from napari_btf.plugin.select_texels import SelectTexels
from napari_btf.plugin.train import Train
from napari_btf.plugin.viewer.workspace import workspace_of
from napari_btf.plugin.widgets.disk import Disk
from napari_btf.plugin.widgets.progress_bar import ProgressBar
from napari_btf.samples import open_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari import Viewer
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot
    from qtpy.QtGui import QAction
    from qtpy.QtWidgets import QApplication, QMenu, QWidget

DOCKS = {
    "Directions": Directions,
    "Select texels": SelectTexels,
    "Train": Train,
    "Latent space": LatentSpace,
    "Relight": Relight,
    "Compare": Compare,
}
DISC = (24.0, 22.0)
"""Centre of the sample's red disc, (y, x); its radius is 12 texels."""


def actions(menu: QMenu) -> Iterator[QAction]:
    """All entries of a menu and its sub-menus."""
    for action in menu.actions():
        if action.menu() is None:
            yield action
        else:
            yield from actions(action.menu())


def test_docks_and_menus(
    make_napari_viewer: Callable[..., Viewer],
    capture: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer(show=True)
    for name, kind in DOCKS.items():
        dock, widget = viewer.window.add_plugin_dock_widget("napari-btf", name)
        assert isinstance(widget, kind)
        qtbot.waitUntil(dock.isVisible)
    assert [
        action.text() for action in actions(viewer.window.plugins_menu) if "BTF" in action.text()
    ] == [f"{name} (BTF)" for name in DOCKS]

    folder = str(capture.folder)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: folder)
    (opens,) = (
        action
        for action in actions(viewer.window.file_menu)
        if action.text() == "Open BTF capture... (BTF)"
    )
    opens.trigger()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert viewer.layers[0].data.shape == (2, 9, 24, 32, 3)
    assert viewer.canvas.overlays.text.text.startswith("captured  light")


@pytest.mark.parametrize(
    "names",
    [
        ("Select texels", "Train", "Relight"),
        ("Directions", "Select texels"),
        ("Train", "Compare"),
        ("Latent space",),
    ],
)
def test_nothing_is_squeezed_on_a_small_screen(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, names: tuple[str, ...]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    docks = [viewer.window.add_plugin_dock_widget("napari-btf", name) for name in names]

    def is_whole(part: QWidget) -> bool:
        needed = part.minimumSizeHint()
        if isinstance(part, QLabel) and part.wordWrap():
            needed.setHeight(part.heightForWidth(part.width()))
        return part.height() >= needed.height() and part.width() >= needed.width()

    # The docks are tabs, the last one in front: one after the other comes to the front.
    qtbot.waitUntil(lambda: not docks[-1][1].visibleRegion().isEmpty())
    for frame, dock in docks:
        frame.raise_()
        qtbot.waitUntil(lambda dock=dock: not dock.visibleRegion().isEmpty())
        parts = [
            part
            for kind in (QLabel, QComboBox, QPushButton, Disk)
            for part in dock.findChildren(kind)
            if part.isVisibleTo(dock)
        ]
        assert len(parts) >= 5
        qtbot.waitUntil(
            lambda parts=parts: all(part.isVisible() and is_whole(part) for part in parts)
        )
    assert viewer.window.geometry()[2:] == (1280, 800)


@pytest.mark.parametrize(("theme", "is_dark"), [("dark", True), ("light", False)])
def test_directions_in_a_narrow_dock(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, theme: str, is_dark: bool
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    viewer.open_sample("napari-btf", "weave")
    frame, dock = viewer.window.add_plugin_dock_widget("napari-btf", "Directions")
    viewer.theme = theme
    frame.setFixedWidth(300)
    disks = (dock.lights, dock.views)
    qtbot.waitUntil(lambda: dock.width() <= 300 and all(disk.height() > 200 for disk in disks))
    assert dock.about.text() == "7 views × 81 lights, 567 images"
    viewer.dims.set_current_step((0, 1), (2, 40))
    assert (dock.lights.marked, dock.views.marked) == (40, 2)

    for disk, marked in zip(disks, (40, 2), strict=True):
        # A dot at the centre lies on lines: any other will do.
        dots = [on_screen(disk, disk.place_of(i)) for i in range(1, len(disk.vectors))]
        red, green, blue = dots.pop(marked - 1)
        assert red > 180
        assert red > 1.3 * green > 2 * blue
        paper = on_screen(disk, QPointF(3, 3))
        assert np.ptp(paper) < 20
        contrast = np.median(dots) - np.median(paper)
        assert contrast > 100 if is_dark else contrast < -100


def on_screen(part: QWidget, place: QPointF) -> NDArray[np.floating]:
    """The colour at a place of a part of the window; the window's style sheet counts."""
    window = part.window()
    image = window.grab().toImage()
    pixel = (QPointF(part.mapTo(window, place)) * part.devicePixelRatioF()).toPoint()
    return np.array(image.pixelColor(pixel).getRgb()[:3], dtype=float)


def canvas(viewer: Viewer, qapp: QApplication) -> Callable[[float, float], NDArray[np.floating]]:
    """The mean colour on the screen around a place (y, x) of the scene, 3 x 3 texels."""
    pixels = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    camera = viewer.scene.camera
    zoom = camera.zoom * qapp.devicePixelRatio()

    def at(y: float, x: float) -> NDArray[np.floating]:
        place = (np.array([y, x]) - camera.center[-2:]) * zoom + np.array(pixels.shape[:2]) / 2
        (top, left), (bottom, right) = (np.rint(place + d * zoom).astype(int) for d in (-1.5, 1.5))
        assert 0 <= top < bottom <= pixels.shape[0]
        assert 0 <= left < right <= pixels.shape[1]
        return pixels[top:bottom, left:right].mean(axis=(0, 1))

    return at


def is_red(colour: NDArray[np.floating]) -> bool:
    return bool(colour[0] > 80 and colour[0] > 1.7 * colour[1:].max())


def test_the_sample_and_its_relit_image_are_on_the_screen(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, qapp: QApplication
) -> None:
    viewer = make_napari_viewer(show=True)
    (layer,) = viewer.open_sample("napari-btf", "weave")
    assert layer.data.shape == (7, 81, 64, 64, 3)
    assert layer.axis_labels == ("view", "light", "y", "x")
    assert layer.name == "weave"
    # Seen from above and lit from the side.
    assert viewer.canvas.overlays.text.text == "captured  light 30°, 0°   view 0°, 0°"
    viewer.dims.set_current_step((0, 1), (0, 0))
    assert viewer.canvas.overlays.text.text == "captured  light 0°, 0°   view 0°, 0°"

    qtbot.waitUntil(lambda: is_red(canvas(viewer, qapp)(*DISC)))
    at = canvas(viewer, qapp)
    y, x = DISC
    for dy, dx in ((-8, 0), (8, 0), (0, -8), (0, 8)):
        assert is_red(at(y + dy, x + dx))
    assert not is_red(at(y, x + 30))
    screen = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    assert np.mean(screen.max(axis=-1) > 20) > 0.3

    # The images from above suffice, and train in a moment.
    sample = open_sample()
    from_above = sample.select(sample.view[:, 2] > 0.999)
    model = napari_btf.train(from_above, latents=8, epochs=1)
    workspace_of(viewer).models.current = model
    _, dock = viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    dock.light_theta.setValue(15)
    dock.light_phi.setValue(90)
    expected = napari_btf.relight(model, (15, 90))
    qtbot.waitUntil(lambda: np.array_equal(dock.image_layer().data, expected))

    # Both stand on the screen, each with its disc, with a gap between them.
    right = float(dock.image_layer().translate[-1])
    assert right > 64
    qtbot.waitUntil(lambda: is_red(canvas(viewer, qapp)(y, right + x)))
    at = canvas(viewer, qapp)
    assert is_red(at(y, x))
    assert not is_red(at(y, right + x + 30))
    shown = at(y, right + x)
    decoded = expected[23:26, 21:24].mean(axis=(0, 1))
    np.testing.assert_allclose(shown, decoded, atol=12)


def test_what_records_the_canvas_sees_every_direction(
    make_napari_viewer: Callable[..., Viewer],
    qtbot: QtBot,
    qapp: QApplication,
    model: napari_btf.CompressedBTF,
) -> None:
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
    workspace_of(viewer).models.current = model
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    layer = dock.image_layer()
    for light in ((0.0, 0.0), (60.0, 0.0), (60.0, 180.0)):
        dock.light_theta.setValue(light[0])
        dock.light_phi.setValue(light[1])
        expected = napari_btf.relight(model, light, (0, 0))
        qtbot.waitUntil(lambda expected=expected: np.array_equal(layer.data, expected))
        # As napari-animation does: a screenshot for each frame, nothing in between.
        at = canvas(viewer, qapp)
        for y, x in ((5, 6), (12, 16), (18, 25)):
            decoded = expected[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))
            np.testing.assert_allclose(at(y, x), decoded, atol=12)
    assert list(viewer.layers) == [layer]


def test_the_window_may_close_while_the_light_moves(
    make_napari_viewer: Callable[..., Viewer],
    qtbot: QtBot,
    model: napari_btf.CompressedBTF,
    capture: Any,
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open(capture.folder, plugin="napari-btf")
    frame, dock = viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
    workspace_of(viewer).models.current = model
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    # At the width of a small dock nothing is cut off, and two disks are not tiny.
    frame.setFixedWidth(300)
    disks = (dock.light_box.disk, dock.view_box.disk)
    qtbot.waitUntil(lambda: dock.width() <= 300 and all(disk.width() > 125 for disk in disks))
    assert all(disk.height() == disk.width() for disk in disks)
    dock.photograph.box.click()
    dock.player.circle.click()
    qtbot.waitUntil(lambda: dock.light[1] > 0)
    # What is left behind (threads, timers, the viewer) fails the test at its end.
    viewer.close()


def test_all_bars_of_all_docks_are_painted_later(
    make_napari_viewer: Callable[..., Viewer],
) -> None:
    """Those of Qt paint the canvas, too, in the middle of whatever moves them."""
    viewer = make_napari_viewer()
    docks = [viewer.window.add_plugin_dock_widget("napari-btf", name)[1] for name in DOCKS]
    bars = [bar for dock in docks for bar in dock.findChildren(QProgressBar)]
    assert len(bars) >= 4
    assert {type(bar) for bar in bars} == {ProgressBar}


START = """
import sys
import napari
from qtpy.QtCore import QEventLoop, QTimer

viewer = napari.Viewer(show_welcome_screen=False)
docks = [
    viewer.window.add_plugin_dock_widget("napari-btf", name)[1]
    for name in ("Select texels", "Train", "Relight", "Latent space")
]


def run_until(condition):
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: condition() and loop.quit())
    timer.start(20)
    loop.exec()

"""


def run_python(code: str) -> str:
    """Output of a program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START + code],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.usefixtures("display")
def test_opening_everything_does_not_import_what_takes_seconds(tmp_path: Path, model: Any) -> None:
    path = model.save(tmp_path / "cloth.safetensors")
    output = run_python(f"""
slow = {{"torch", "sklearn", "openTSNE", "umap"}}
viewer.open_sample("napari-btf", "weave")
run_until(lambda: all(dock.isVisible() for dock in docks))
print(len(viewer.layers), slow & {{*sys.modules}})
# The first map of a model neither.
viewer.open({str(path)!r}, plugin="napari-btf")
run_until(lambda: len(docks[3].map.points) > 0)
print(len(docks[3].map.points), slow & {{*sys.modules}})
viewer.close()
""")
    assert output.splitlines() == ["1 set()", "768 set()"]


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_model_that_is_opened_covers_nothing(
    make_napari_viewer: Callable[..., Viewer],
    qtbot: QtBot,
    tmp_path: Path,
    model: Any,
    capture: Any,
    is_alone: bool,
) -> None:
    path = model.save(tmp_path / "cloth.safetensors")
    viewer = make_napari_viewer(show=True)
    docks = [
        viewer.window.add_plugin_dock_widget("napari-btf", name)[1]
        for name in ("Select texels", "Train", "Relight", "Latent space")
    ]
    for some in [path] if is_alone else [capture.folder, path]:
        viewer.open(some, plugin="napari-btf")
    relight = docks[2]
    qtbot.waitUntil(lambda: relight.image_layer() is not None and not relight.renderer.busy)
    places = {
        layer.name.split()[0]: tuple(
            round(x / size / 1.04) for x, size in zip(layer.translate[-2:], (24, 32), strict=True)
        )
        for layer in viewer.layers
    }
    beside = {"relit": (0, 1), "more": (1, 0), "latents": (0, 0)}
    below = {"relit": (0, 1), "more": (1, 1), "latents": (1, 0), "cloth": (0, 0)}
    assert places == (beside if is_alone else below)
    # All of it is in view in the next turn of the event loop, and stays so when it is asked for.
    qtbot.wait(20)
    before = viewer.scene.camera.zoom, *viewer.scene.camera.center
    viewer.reset_view()
    assert before == (viewer.scene.camera.zoom, *viewer.scene.camera.center)


@pytest.mark.usefixtures("display")
def test_a_window_may_close_in_the_middle_of_everything(
    tmp_path: Path, model: Any, capture: Any
) -> None:
    """While a training and t-SNE run, and the program ends at once: both are waited for."""
    path = model.save(tmp_path / "cloth.safetensors")
    output = run_python(f"""
viewer.open({str(capture.folder)!r}, plugin="napari-btf")
viewer.open({str(path)!r}, plugin="napari-btf")
train, space = docks[1], docks[3]
run_until(lambda: len(space.map.points) > 0 and not space.embeddings.run.running)
train.form.seconds.setValue(600)
train.form.codec.setCurrentText("parallax")
train.start()
space.form.set_method("tsne")
pictures = []
space.embeddings.run.previewed.connect(pictures.append)
space.form.start.click()
run_until(lambda: len(pictures) > 1 and ": training" in train.message.text())
assert space.embeddings.run.running
viewer.close()
print("closed")
""")
    assert output == "closed"


def test_images_that_were_shown_leave_nothing_behind(
    make_napari_viewer: Callable[..., Viewer],
    qtbot: QtBot,
    model: napari_btf.CompressedBTF,
) -> None:
    """napari keeps all workers that it is told of, and a minute of dragging makes a thousand."""
    viewer = make_napari_viewer(show=True)
    workspace_of(viewer).models.current = model
    _, dock = viewer.window.add_plugin_dock_widget("napari-btf", "Relight")
    qtbot.waitUntil(lambda: dock.image_layer() is not None)
    made: list[Any] = []
    dock.renderer.made.connect(lambda frame: made.append(frame.shot.light))
    for theta in range(1, 21):
        dock.light_theta.setValue(theta)
        qtbot.waitUntil(lambda theta=theta: bool(made) and made[-1][0] == theta)
    qtbot.waitUntil(lambda: not dock.renderer.busy)
    assert len(made) >= 20
    qtbot.wait(50)
    gc.collect()
    # By their types: `isinstance` asks objects for their class, which some of torch's warn of.
    left = [thing for thing in gc.get_objects() if issubclass(type(thing), GeneratorWorker)]
    assert len(left) < 10
