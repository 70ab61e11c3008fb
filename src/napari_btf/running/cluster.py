"""Clusters of Dask workers: connecting to a cluster, and error messages about lost workers.

The tasks of the workers are in `napari_btf.formats.conversion` and
`napari_btf.codec.neural_basis.shared_projection`. The package distributed is an optional
dependency, so that it is imported only inside functions.
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
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address : str or None
        Address of the scheduler, such as ``tcp://host:8786``.

    Yields
    ------
    distributed.Client or None
        The client; None if ``address`` is None.

    Raises
    ------
    UsageError
        If no scheduler answers at the address, or distributed is not installed.
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
        # Not as the default client, because a client that finds no scheduler remains the default.
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UsageError(
            None, f"no scheduler answers at {address}", "check that dask scheduler runs there"
        ) from error
    with client:
        yield client


def active_client() -> Any:
    """The client that a script has opened, or None."""
    # A script with a client has imported distributed already; importing it here takes a second.
    if "distributed" not in sys.modules:
        return None
    import distributed

    try:
        client = distributed.default_client()  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    # A client that found no scheduler remains the default client.
    return client if client.status == "running" else None


@contextmanager
def in_cluster(subject: str | Path | None, remedy: str) -> Iterator[None]:
    """Turn errors about lost workers or a lost scheduler into a `ProcessLostError`.

    Parameters
    ----------
    subject : str, Path or None
        What the message is about, such as the file that is written.
    remedy : str
        What the user can do.

    Raises
    ------
    ProcessLostError
        If workers end repeatedly at the same task, or the scheduler does not answer any more.
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
