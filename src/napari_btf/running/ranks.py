"""Which of several processes this one is, as torchrun says in the environment, and its cores."""

from __future__ import annotations

import os

__all__ = ["cores", "is_first", "rank", "rank_count"]


def rank_count() -> int:
    """How many processes train together; 1 without torchrun."""
    return _number("WORLD_SIZE", 1) if "MASTER_ADDR" in os.environ else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return _number("RANK", 0) if rank_count() > 1 else 0


def is_first() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def cores() -> int:
    """Cores for this process: those it may use, shared with the others on the same machine."""
    # Of a job on a cluster, those it was given.
    affinity = getattr(os, "sched_getaffinity", None)
    usable = os.cpu_count() or 1 if affinity is None else len(affinity(0))
    return max(1, usable // (_number("LOCAL_WORLD_SIZE", 1) if rank_count() > 1 else 1))


def _number(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        return default
