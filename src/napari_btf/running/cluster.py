"""Clusters of Dask workers: connecting to one, and what may go wrong there, in words.

The tasks themselves are where the work is: `napari_btf.formats.conversion` and
`napari_btf.codec.neural_basis.shared_projection`. distributed is an extra, and imported only
where it is used.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_btf.errors import ProcessLostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["active_client", "connected", "in_cluster"]

_CONNECT_SECONDS = 30


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """A client of the scheduler at an address such as ``tcp://host:8786``; None without one.

    Raises
    ------
    UsageError
        If there is no scheduler, or distributed is not installed.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            None, "a cluster needs distributed", 'pip install "napari-btf[cluster]"'
        ) from error
    try:
        # Not the default one: a client that found no scheduler would stay that.
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UsageError(
            None, f"no scheduler answers at {address}", "check that dask scheduler runs there"
        ) from error
    with client:
        yield client


def active_client() -> Any:
    """The client that a script has opened, or None."""
    # Without the module there can be none; importing it takes a second.
    if "distributed" not in sys.modules:
        return None
    import distributed

    try:
        client = distributed.default_client()  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    # One that found no scheduler stays the default one.
    return client if client.status == "running" else None


@contextmanager
def in_cluster(subject: str | Path | None, remedy: str) -> Iterator[None]:
    """Turn the end of workers, or of their scheduler, into a sentence.

    Raises
    ------
    ProcessLostError
    """
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise ProcessLostError(
            subject, "workers of the cluster ended again and again at the same task", remedy
        ) from error
    except (CommClosedError, CancelledError, TimeoutError) as error:
        raise ProcessLostError(subject, "the cluster's scheduler is gone", remedy) from error
