"""The rank of this process among those that torchrun started, and the cores it may use."""

from __future__ import annotations

import os

__all__ = ["cores", "is_first", "rank", "rank_count"]


def rank_count() -> int:
    """The number of processes that train together; 1 without torchrun."""
    return _number("WORLD_SIZE", 1) if "MASTER_ADDR" in os.environ else 1


def rank() -> int:
    """The rank of this process, counted from 0."""
    return _number("RANK", 0) if rank_count() > 1 else 0


def is_first() -> bool:
    """Whether this is the process that writes files and messages: the one of rank 0."""
    return rank() == 0


def cores() -> int:
    """The number of cores for this process: its share of the cores of this machine."""
    # A job on a cluster may use only the cores that it was given.
    affinity = getattr(os, "sched_getaffinity", None)
    usable = os.cpu_count() or 1 if affinity is None else len(affinity(0))
    return max(1, usable // (_number("LOCAL_WORLD_SIZE", 1) if rank_count() > 1 else 1))


def _number(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        return default
