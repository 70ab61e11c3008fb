"""The photograph whose directions are nearest to those of the relit image, beside that image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_btf.directions import angle_between, angles_to_vectors, format_angles
from napari_btf.plugin.jobs.background import Latest
from napari_btf.plugin.viewer.layers import capture_of
from napari_btf.plugin.viewer.placing import free_column
from napari_btf.plugin.viewer.shown_image import ShownImage
from napari_btf.plugin.widgets.section import allow
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.plugin.viewer.workspace import Workspace
    from napari_btf.progress import Job
    from napari_btf.relighting.shots import Shot

__all__ = ["Photograph"]

_TIP = "Show the captured image with the nearest light and view beside the relit image"
_NO_CAPTURE = "Open the capture of this model to see its photographs."


class _Wanted(NamedTuple):
    """A photograph, and the shot whose exposure and gamma it is shown with."""

    btf: BTF
    number: int
    shot: Shot

    def looks_like(self, other: _Wanted | None) -> bool:
        """Whether another photograph has the same pixels."""
        return other is not None and self._key == other._key

    @property
    def _key(self) -> tuple[BTF, int, float, float | None]:
        return self.btf, self.number, self.shot.exposure, self.shot.gamma


class Photograph(QWidget):
    """A check box, a note about the photograph, and the layer that shows it.

    Signals
    -------
    appeared
        A new layer was added to the viewer.
    """

    appeared = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._shot: Shot | None = None
        self._shown: _Wanted | None = None
        self._image = ShownImage(workspace, "photograph")
        self.box = QCheckBox("nearest photograph")
        self.note = Note()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.box)
        column.addWidget(self.note)

        self._latest = Latest(self)
        self._latest.done.connect(self._on_read)
        self._latest.failed.connect(self._on_failed)
        self.box.toggled.connect(self._on_toggled)
        self.follow(None)

    @property
    def layer(self) -> Any:
        """The layer of the photograph, or None."""
        return self._image.layer

    def follow(self, shot: Shot | None, why_not: str = "") -> None:
        """Show the photograph nearest to a relit image, or say why there is none."""
        self._shot, self._no_shot = shot, why_not
        btf = self._capture()
        if btf is None and shot is not None:
            why_not = _NO_CAPTURE
        allow(self.box, _TIP, why_not)
        if btf is None or shot is None or not self.box.isChecked():
            self.note.setVisible(bool(why_not) and shot is not None)
            self.note.setText(why_not)
            self._forget()
            return
        light, view = angles_to_vectors(*shot.light), angles_to_vectors(*shot.view)
        i = btf.nearest(light, view)
        apart = [float(angle_between(*p)) for p in ((light, btf.light[i]), (view, btf.view[i]))]
        text = f"light {format_angles(btf.light[i])}, {_apart(apart[0])}"
        if not shot.model.fixed_view:
            text += f"\nview {format_angles(btf.view[i])}, {_apart(apart[1])}"
        self.note.setVisible(True)
        self.note.setText(text)
        wanted = _Wanted(btf, i, shot)
        if not wanted.looks_like(self._shown) or self._image.layer is None:
            self._shown = wanted
            self._latest.want(lambda: _read(wanted))

    def drop(self, layer: Any) -> None:
        """Clear the check box if the layer that was deleted is the photograph."""
        if self._image.owns(layer):
            self.box.setChecked(False)

    def pause(self) -> None:
        """Read no photograph until the next `follow`."""
        self._latest.cancel()
        self._shown = None

    def make_room(self) -> None:
        """Move to the right of the relit image."""
        if self._shot is not None:
            self._image.make_room(self._column())

    def _capture(self) -> BTF | None:
        """The capture that belongs to the model."""
        if self._shot is None:
            return None
        layers = self._workspace.captures.of_model(self._shot.model)
        return capture_of(layers[0]) if layers else None

    def _column(self) -> float:
        assert self._shot is not None
        return free_column(self._workspace.viewer, self._shot.model, self.layer)

    def _on_toggled(self, _: bool) -> None:
        self.follow(self._shot, self._no_shot)

    def _forget(self) -> None:
        self._latest.cancel()
        self._shown = None
        self._image.remove()

    def _on_read(self, result: tuple[_Wanted, NDArray[Any]]) -> None:
        wanted, pixels = result
        if self._shown is None or self._workspace.viewer is None:
            return
        name = f"photograph {wanted.btf.name}".strip()
        if self._image.show(pixels, name, self._column(), select=False):
            self.appeared.emit()

    def _on_failed(self, problem: str) -> None:
        self.note.setText(problem)


def _read(wanted: _Wanted) -> Job[tuple[_Wanted, NDArray[Any]]]:
    yield from ()
    stored = wanted.btf.frame(wanted.number)
    return wanted, wanted.shot.developed(stored)


def _apart(degrees: float) -> str:
    return "the same" if degrees < 0.05 else f"{degrees:.1f}° away"
