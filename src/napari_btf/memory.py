"""How much memory there is, so that a claim of a file can be refused before it is believed."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["free_memory", "in_bytes"]

_MEMINFO = Path("/proc/meminfo")
#: Limit and use of the control group of a container or of a job of SLURM, in its two versions.
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def free_memory() -> int:
    """Return the bytes that this process can still allocate; a very large number if unknown."""
    return min(_of_machine(), _of_group(), _of_process())


def in_bytes(count: float) -> str:
    """Return a number of bytes for people, such as "1.5 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def _of_machine() -> int:
    try:
        for line in _MEMINFO.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return sys.maxsize


def _of_group() -> int:
    for limit, used in _GROUPS:
        try:
            # Without a limit the file says "max", or a number beyond any memory.
            return max(0, int(limit.read_text("ascii")) - int(used.read_text("ascii")))
        except (OSError, ValueError):
            continue
    return sys.maxsize


def _of_process() -> int:
    """Return what the limit of this process's address space leaves."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        if limit != resource.RLIM_INFINITY:
            return max(0, limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError, IndexError):
        pass
    return sys.maxsize
