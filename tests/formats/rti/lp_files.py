"""Texts of .lp files, for tests."""

from __future__ import annotations

from collections.abc import Sequence

Vectors = Sequence[Sequence[float]]
LIGHTS: Vectors = ((0, 0, 1), (0.6, 0, 0.8), (0, 0.6, 0.8), (-0.6, 0, 0.8), (1, 0, 0))


def text_of(names: Sequence[str], lights: Vectors = LIGHTS, count: int | None = None) -> str:
    lines = [f"{name} {x} {y} {z}" for name, (x, y, z) in zip(names, lights, strict=False)]
    return "\n".join([str(len(lines) if count is None else count), *lines]) + "\n"
