"""What shines: the lights, or an environment in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_btf.plugin.relight.lighting.environment_box import EnvironmentBox
from napari_btf.plugin.relight.lighting.lights_box import LightsBox
from napari_btf.plugin.widgets.section import Section

if TYPE_CHECKING:
    from napari_btf.codec.model import CompressedBTF
    from napari_btf.relighting import Environment, Light

__all__ = ["SURROUNDED", "LightingBox"]

Angles = tuple[float, float]

SURROUNDED = "The environment lights the surface: turn that, or choose none"


class LightingBox(QWidget):
    """Two folded sections, of which the second one outweighs the first.

    Signals
    -------
    changed
        A hand changed what shines.
    turned
        A hand turned the environment.
    """

    changed = Signal()
    turned = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.lights, self.environment = LightsBox(), EnvironmentBox()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(Section("Lights", self.lights))
        column.addWidget(Section("Environment", self.environment))
        self.lights.changed.connect(self.changed)
        self.environment.changed.connect(self.changed)
        self.environment.turned.connect(self.turned)

    @property
    def is_around(self) -> bool:
        """Whether an environment shines."""
        return self.environment.environment is not None

    @property
    def turn(self) -> float | None:
        """How far the environment is turned, degrees; None for lights."""
        return self.environment.degrees if self.is_around else None

    def at(
        self, light: Angles, turn: float | None = None
    ) -> tuple[Light, ...] | Environment | None:
        """What shines once the chosen light is there, and the environment turned so far.

        None for one light as in the capture.
        """
        degrees = self.environment.degrees if turn is None else turn
        return self.environment.turned_to(degrees) or self.lights.lights(light)

    def set_model(self, model: CompressedBTF | None, why_not: str = "") -> None:
        """There is another model; or none, for a reason."""
        self.lights.set_why_not(why_not or (SURROUNDED if self.is_around else ""))
        self.lights.set_has_colours(model is None or model.channels == 3)
        self.environment.set_why_not(why_not)
