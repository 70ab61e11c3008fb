"""Short computations in a thread, of which only the newest request matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.qt.threading import FunctionWorker, create_worker
from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Latest"]


class Latest(QObject):
    """Computes one request at a time; of those that come meanwhile, the last one follows.

    Every result is shown, or nothing would change while a slider moves on.

    Signals
    -------
    done
        What a request returned.
    failed
        What it raised.
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: FunctionWorker | None = None
        self._next: Callable[[], Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is computed."""
        return self._worker is not None

    def ask(self, request: Callable[[], Any]) -> None:
        """Compute something soon, in another thread."""
        self._next = request
        if self._worker is None:
            self._go_on()

    def forget(self) -> None:
        """Drop what waits, and what is computed."""
        self._next = None
        if self._worker is not None:
            self._worker.quit()

    def _go_on(self) -> None:
        if self._next is None:
            return
        request, self._next = self._next, None
        # Errors are results: at a RuntimeError a worker would end without a signal.
        worker = create_worker(_outcome, request, _start_thread=False)
        worker.returned.connect(self._on_returned)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        worker.start()

    def _on_returned(self, outcome: tuple[Any, Exception | None]) -> None:
        value, error = outcome
        # The thread may have been faster than `forget`.
        if self._worker is None or self._worker.abort_requested:
            return
        if error is None:
            self.done.emit(value)
        else:
            self.failed.emit(error)

    def _on_finished(self) -> None:
        self._worker = None
        self._go_on()


def _outcome(request: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return request(), None
    except Exception as error:
        return None, error
