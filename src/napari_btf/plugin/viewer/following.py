"""Connections that last while a widget is shown: closing a dock of napari only hides the dock."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget

__all__ = ["MouseEvents", "follow_while_shown"]


class _Signal(Protocol):
    """A signal of psygnal, an event of napari, or a `MouseEvents`."""

    def connect(self, slot: Any, /) -> Any: ...

    def disconnect(self, slot: Any, /) -> Any: ...


def follow_while_shown(widget: QWidget, slots: Mapping[Any, Callable[..., Any]]) -> None:
    """Connect signals whenever a widget is shown, and disconnect them whenever it is hidden.

    The signals are connected before the widget's own ``showEvent`` runs, which may therefore
    bring the widget up to date. The widget is not kept alive.

    Parameters
    ----------
    widget : QWidget
    slots : mapping
        From signals to bound methods. A signal has the methods ``connect`` and ``disconnect``.
    """
    widget.installEventFilter(_Follower(widget, slots))


class _Follower(QObject):
    """Connects the signals of one widget, whose child it is."""

    def __init__(self, widget: QWidget, slots: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__(widget)
        # Weakly, because a child that holds its parent would keep the parent alive.
        self._slots: list[tuple[_Signal, weakref.WeakMethod[Any]]] = [
            (signal, weakref.WeakMethod(slot)) for signal, slot in slots.items()
        ]
        self._connected = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Connect at the first show event, disconnect at the next hide event."""
        kind = event.type()
        # Minimising a window sends these events more than once.
        if kind == QEvent.Type.Show and not self._connected:
            self._connected = True
            for signal, method in self._slots:
                slot = method()
                if slot is not None:
                    signal.connect(slot)
        elif kind == QEvent.Type.Hide and self._connected:
            self._connected = False
            for signal, method in self._slots:
                slot = method()
                if slot is not None:
                    signal.disconnect(slot)
        return False


class MouseEvents:
    """One of a viewer's lists of mouse callbacks as a signal that holds its slots weakly.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    name : str
        Of the list: ``"mouse_move_callbacks"`` or ``"mouse_drag_callbacks"``.
    """

    def __init__(self, viewer: Any, name: str) -> None:
        self._viewer, self._name = weakref.ref(viewer), name

    def connect(self, slot: Callable[[Any, Any], Any]) -> None:
        """Call a bound method with the viewer and the event; connecting twice calls it once."""
        callbacks, callback = self._callbacks(), _WeakCallback(slot)
        if callback not in callbacks:
            callbacks.append(callback)

    def disconnect(self, slot: Callable[[Any, Any], Any]) -> None:
        """Call a bound method no longer."""
        callbacks, callback = self._callbacks(), _WeakCallback(slot)
        if callback in callbacks:
            callbacks.remove(callback)

    def _callbacks(self) -> list[Any]:
        viewer = self._viewer()
        return [] if viewer is None else getattr(viewer, self._name)


class _WeakCallback:
    """A bound method in a list that would otherwise keep the owner of the method alive."""

    def __init__(self, method: Callable[[Any, Any], Any]) -> None:
        self._method = weakref.WeakMethod(method)

    def __call__(self, viewer: Any, event: Any) -> Any:
        """Hand the event on, unless the owner of the method is gone."""
        method = self._method()
        return None if method is None else method(viewer, event)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _WeakCallback) and self._method == other._method

    def __hash__(self) -> int:
        return hash(self._method)
