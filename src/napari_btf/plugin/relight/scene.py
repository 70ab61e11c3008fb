"""The scene of *Relight*: its lamps, its view, its environment, and what may be moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_btf.plugin.relight.lamp import (
    NORMAL,
    Colour,
    Direction,
    Lamp,
    changed,
    one_more,
    without,
)
from napari_btf.relighting import default_view, limits
from napari_btf.relighting.motion import Pose
from napari_btf.relighting.shots import Shot

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.directions import Angles
    from napari_btf.relighting import Environment, Light
    from napari_btf.relighting.looks import Look

__all__ = ["MOST_LAMPS", "NORMAL", "NO_MODEL", "Direction", "Lamp", "Limits", "Scene"]

MOST_LAMPS = 16
NO_MODEL = "Train a model first (dock Train), or load one."
_SURROUNDED = "The environment lights the surface. Turn the environment, or choose none."
_SUMMED = "Looks need one white light, like those of the capture."
_UNLOCK = "Unlock light and view first"
_ONE_VIEW = "The model knows only one view."


@dataclass(frozen=True)
class Limits:
    """Why the whole scene, its light, or its view must not move; "" for what may move."""

    everything: str = ""
    light: str = ""
    view: str = ""


class Scene:
    """The only owner of what *Relight* shows.

    Widgets write to the scene, and show it again when it tells that it has changed.

    Parameters
    ----------
    variant_of : callable, optional
        Maps the model to the model that is decoded: the same one, or one with edited latents.

    Signals
    -------
    moved
        A person moved the light, the view, or the environment: one bool for each of the three.
        Motions do not emit this signal.
    replaced
        Another lamp is the chosen one, or an environment took the place of the lamps or left it.
        A running motion would now move something else.
    allowed
        Other parts of the scene may be changed than before.
    changed
        The image shows something else. This signal is the last one of each change.
    """

    moved = Signal(bool, bool, bool)
    replaced = Signal()
    allowed = Signal()
    changed = Signal()

    def __init__(
        self, variant_of: Callable[[CompressedBTF], CompressedBTF] = lambda model: model
    ) -> None:
        self._variant_of = variant_of
        self._model: CompressedBTF | None = None
        self._reach, self._chosen = (90.0, 90.0), 0
        self._lamps: tuple[Lamp, ...] = (Lamp(),)
        self._view = NORMAL
        self._environment: Environment | None = None
        self._turn = 0.0
        self._is_linked = self._is_light_locked = self._is_view_locked = False
        self._exposure = 0.0
        self._gamma: float | None = None
        self._look: Look | None = None

    # ----------------------------------------------------------------- what the scene is

    @property
    def model(self) -> CompressedBTF | None:
        """The model whose surface is lit, or None."""
        return self._model

    @property
    def reach(self) -> tuple[float, float]:
        """The largest theta of the captured lights and of the captured views, degrees."""
        return self._reach

    @property
    def lamps(self) -> tuple[Lamp, ...]:
        """All lamps, at least one."""
        return self._lamps

    @property
    def chosen(self) -> int:
        """The index of the lamp that `move_light` moves."""
        return self._chosen

    @property
    def lamp(self) -> Lamp:
        """The chosen lamp."""
        return self._lamps[self._chosen]

    @property
    def light(self) -> Direction:
        """The direction of the chosen lamp."""
        return self.lamp.direction

    @property
    def view(self) -> Direction:
        """The direction of the viewer."""
        return self._view

    @property
    def is_surrounded(self) -> bool:
        """Whether an environment lights the surface in place of the lamps."""
        return self._environment is not None

    @property
    def turn(self) -> float:
        """The angle by which an environment is turned counter-clockwise, degrees."""
        return self._turn

    @property
    def is_linked(self) -> bool:
        """Whether light and view move together."""
        return self._is_linked

    @property
    def is_light_locked(self) -> bool:
        """Whether the light stays where it is."""
        return self._is_light_locked

    @property
    def is_view_locked(self) -> bool:
        """Whether the view stays where it is."""
        return self._is_view_locked

    @property
    def pose(self) -> Pose:
        """Light, view, and the turn of the environment (None while the lamps are used)."""
        return Pose(self.light, self._view, self._turn if self.is_surrounded else None)

    def shot(self, pose: Pose | None = None) -> Shot:
        """The whole image of the scene.

        Parameters
        ----------
        pose : Pose, optional
            Where light, view and environment would be after `go_to`; where they are if not given.
        """
        assert self._model is not None
        light, view, turn = self._after(pose or Pose())
        return Shot(
            self._variant_of(self._model),
            light,
            view,
            self._exposure if self.has_exposure else 0.0,
            self._gamma if self.has_gamma else None,
            self._lighting(light, turn),
            look=None if self.why_no_look else self._look,
        )

    def _after(self, pose: Pose) -> tuple[Angles, Angles, float]:
        light, view, turn = pose
        if self._is_linked:
            light = view = light or view
        return (
            self.light if light is None or not self.is_light_free else light,
            self._view if view is None or not self.is_view_free else view,
            self._turn if turn is None else turn % 360.0,
        )

    def _lighting(self, light: Angles, turn: float) -> tuple[Light, ...] | Environment | None:
        """What lights the surface; None for one lamp that is like the lights of the capture."""
        if self._environment is not None:
            return replace(self._environment, turn=turn)
        if not self._is_summed:
            return None
        chosen = replace(self.lamp, direction=Direction(*light))
        return tuple(lamp.light for lamp in changed(self._lamps, self._chosen, chosen))

    @property
    def _is_summed(self) -> bool:
        """Whether the image is a sum over lights, not decoded under one light of the capture."""
        return self.is_surrounded or self._lamps != (Lamp(self.light),)

    # ----------------------------------------------------------------- what may be changed

    @property
    def no_model(self) -> str:
        """The sentence that says that there is no model, or ""."""
        return NO_MODEL if self._model is None else ""

    @property
    def why_no_light(self) -> str:
        """Why the scene has no light that could be moved or locked, or ""."""
        return self.no_model or (_SURROUNDED if self.is_surrounded else "")

    @property
    def why_no_view(self) -> str:
        """Why the scene has no view that could be moved or locked, or ""."""
        return self.no_model or (_ONE_VIEW if self._has_one_view else "")

    @property
    def why_no_link(self) -> str:
        """Why light and view cannot be linked, or ""."""
        locked = self._is_light_locked or self._is_view_locked
        return self.why_no_view or (_UNLOCK if locked else "") or self.why_no_light

    @property
    def is_light_free(self) -> bool:
        """Whether the light may be moved."""
        return not (self.why_no_light or self._is_light_locked)

    @property
    def is_view_free(self) -> bool:
        """Whether the view may be moved."""
        return not (self.why_no_view or self._is_view_locked)

    @property
    def limits(self) -> Limits:
        """Why motions must not move the scene, its light, or its view."""
        still = not (self.is_light_free or self.is_view_free or self.is_surrounded)
        one_view = _ONE_VIEW if self._has_one_view else ""
        return Limits(
            self.no_model or ("Light and view are locked" if still else ""),
            "" if self.is_light_free else "The light is locked",
            one_view or ("The view is locked" if self._is_view_locked else ""),
        )

    @property
    def has_exposure(self) -> bool:
        """Whether an exposure makes a difference: for radiance, and for light that is summed."""
        return self._model is not None and (self._model.values.is_float or self._is_summed)

    @property
    def has_gamma(self) -> bool:
        """Whether a gamma makes a difference: for radiance."""
        return self._model is not None and self._model.values.is_float

    @property
    def why_no_look(self) -> str:
        """Why the image cannot have another look than the captured one, or ""."""
        return self.no_model or (_SUMMED if self._is_summed else "")

    @property
    def has_colours(self) -> bool:
        """Whether lamps of different colours look different: for images of three channels."""
        return self._model is None or self._model.channels == 3

    @property
    def _has_one_view(self) -> bool:
        return self._model is not None and self._model.fixed_view

    # ----------------------------------------------------------------- changes

    def set_model(self, model: CompressedBTF | None) -> None:
        """Light the surface of another model; None for no surface."""
        if model is not self._model:
            # A look belongs to a surface.
            self._look = None
        self._model = model
        self._reach = (90.0, 90.0) if model is None else limits(model)
        if model is not None and model.fixed_view:
            self._view = Direction.of(*default_view(model))
        self._is_linked = self._is_linked and not self.why_no_view
        self.allowed.emit()
        self.changed.emit()

    def move_light(self, direction: Direction) -> None:
        """Move the chosen lamp, and the view if they are linked; a locked light stays."""
        if self.is_light_free:
            self._put(direction, direction if self._is_linked else self._view)
            self.moved.emit(True, self._is_linked, False)
        self.changed.emit()

    def move_view(self, direction: Direction) -> None:
        """Move the view, and the chosen lamp if they are linked; a locked view stays."""
        if self.is_view_free:
            self._put(direction if self._is_linked else self.light, direction)
            self.moved.emit(self._is_linked, True, False)
        self.changed.emit()

    def turn_to(self, degrees: float) -> None:
        """Turn the environment."""
        self._turn = float(degrees) % 360.0
        self.moved.emit(False, False, True)
        self.changed.emit()

    def go_to(self, pose: Pose) -> None:
        """Move what the pose names and what may be moved, as a motion does."""
        light, view, self._turn = self._after(pose)
        self._put(Direction.of(*light), Direction.of(*view))
        self.changed.emit()

    def link(self, is_linked: bool) -> None:
        """Have light and view move together; the light goes to the viewer."""
        self._is_linked = is_linked and not self.why_no_link
        self.allowed.emit()
        if self._is_linked:
            self._put(self._view, self._view)
            self.moved.emit(True, True, False)
            self.changed.emit()

    def lock_light(self, is_locked: bool) -> None:
        """Keep the light where it is, or let it move again; this ends a link."""
        self._is_light_locked = is_locked
        self._is_linked = self._is_linked and not is_locked
        self.allowed.emit()

    def lock_view(self, is_locked: bool) -> None:
        """Keep the view where it is, or let it move again; this ends a link."""
        self._is_view_locked = is_locked
        self._is_linked = self._is_linked and not is_locked
        self.allowed.emit()

    def choose_lamp(self, index: int) -> None:
        """Have `move_light` move another lamp; this ends a link, so that the lamp stays."""
        self._set_lamps(self._lamps, index)

    def add_lamp(self) -> None:
        """Add a white lamp where the chosen one is, and choose it; the brightness stays."""
        if len(self._lamps) < MOST_LAMPS:
            self._set_lamps(one_more(self._lamps, self.light), len(self._lamps))

    def remove_lamp(self) -> None:
        """Remove the chosen lamp, unless it is the only one; the brightness stays."""
        if len(self._lamps) > 1:
            rest = without(self._lamps, self._chosen)
            self._set_lamps(rest, min(self._chosen, len(rest) - 1))

    def _set_lamps(self, lamps: tuple[Lamp, ...], chosen: int) -> None:
        self._lamps, self._chosen, self._is_linked = lamps, chosen, False
        self.replaced.emit()
        self.allowed.emit()
        self.changed.emit()

    def colour_lamp(self, colour: Colour) -> None:
        """Give the chosen lamp a colour, sRGB."""
        self._change(self._chosen, replace(self.lamp, colour=colour))

    def dim_lamp(self, intensity: float) -> None:
        """Give the chosen lamp an intensity."""
        self._change(self._chosen, replace(self.lamp, intensity=intensity))

    def switch_lamp(self, index: int, is_on: bool) -> None:
        """Switch a lamp on or off."""
        self._change(index, replace(self._lamps[index], is_on=is_on))

    def _change(self, index: int, lamp: Lamp) -> None:
        if lamp != self._lamps[index]:
            self._lamps = changed(self._lamps, index, lamp)
            self.allowed.emit()
            self.changed.emit()

    def surround(self, environment: Environment | None) -> None:
        """Light the surface with an environment; None for the lamps."""
        before, self._environment = self.is_surrounded, environment
        if self.is_surrounded != before:
            self.replaced.emit()
        self.allowed.emit()
        self.changed.emit()

    def expose(self, stops: float) -> None:
        """Choose the exposure: each stop doubles the light."""
        self._exposure = stops
        self.changed.emit()

    def set_gamma(self, gamma: float | None) -> None:
        """Choose the gamma of radiance on a screen; None for sRGB."""
        self._gamma = gamma
        self.changed.emit()

    def set_look(self, look: Look | None) -> None:
        """Show the surface with a look; None as it was captured."""
        if look is not self._look:
            self._look = look
            self.changed.emit()

    def _put(self, light: Direction, view: Direction) -> None:
        self._lamps = changed(self._lamps, self._chosen, replace(self.lamp, direction=light))
        self._view = view
