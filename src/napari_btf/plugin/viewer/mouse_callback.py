"""Mouse callbacks of a viewer that do not keep a dock alive."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MouseCallback"]


class MouseCallback:
    """A method in one of a viewer's lists of callbacks, which would hold it for good.

    Parameters
    ----------
    method : callable
        A bound method that takes the viewer and the event.
    """

    def __init__(self, method: Callable[[Any, Any], Any]) -> None:
        self._method = weakref.WeakMethod(method)

    def __call__(self, viewer: Any, event: Any) -> Any:
        """Hand the event on, unless the owner of the method is gone."""
        method = self._method()
        return None if method is None else method(viewer, event)

    def put_in(self, callbacks: list[Any], inside: bool) -> None:
        """Be in a list, or not."""
        if inside and self not in callbacks:
            callbacks.append(self)
        elif not inside and self in callbacks:
            callbacks.remove(self)
