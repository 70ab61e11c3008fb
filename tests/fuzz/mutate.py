"""Mutations of files that keep most of their structure, so that parsers read on.

All functions take what they mutate and a `random.Random`, and return something new: the same state
of the generator gives the same mutation.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from random import Random
from typing import Any

#: A file or a folder of files: content by relative name.
Files = dict[str, bytes]

#: Numbers at which lengths and counts tend to overflow or to be believed.
NUMBERS = (
    *(0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536),
    *(2**24, 2**28, 2**31 - 17, 2**31 - 1, 2**31, 2**32 - 16, 2**32 - 1, 2**32),
    *(2**40, 2**48, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-300,
    1e18,
    3e38,
    -3e38,
    float("inf"),
    float("-inf"),
    float("nan"),
)
_TEXTS = ("", "/", "..", "\x1b[2J", "\ud800", "a" * 3000, "uint8", "float64", "|O", "pickle")


def flip_bits(data: bytes, rng: Random) -> bytes:
    """Flip one to eight bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(data: bytes, rng: Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data) + 1)]


def insert(data: bytes, rng: Random) -> bytes:
    """Insert random bytes, or a piece of the data again."""
    at = rng.randrange(len(data) + 1)
    start = rng.randrange(len(data) + 1)
    piece = rng.randbytes(rng.randint(1, 16)) if rng.random() < 0.5 else data[start : start + 64]
    return data[:at] + piece + data[at:]


def swap(data: bytes, rng: Random) -> bytes:
    """Exchange two pieces."""
    a, b, c, d = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def set_number(data: bytes, rng: Random, within: int | None = None) -> bytes:
    """Write one of the `NUMBERS` or `FLOATS` somewhere, such as into a length.

    Parameters
    ----------
    within : int, optional
        Only into so many of the first bytes.
    """
    if rng.random() < 0.2:
        raw = struct.pack(rng.choice("<>") + rng.choice("efd"), _small_enough(rng))
    else:
        size = rng.choice((1, 2, 4, 8))
        number = rng.choice(NUMBERS) % (1 << 8 * size)
        raw = number.to_bytes(size, rng.choice(("little", "big")))
    room = max(0, min(len(data), within or len(data)) - len(raw))
    at = rng.randint(0, room)
    return data[:at] + raw + data[at + len(raw) :]


def _small_enough(rng: Random) -> float:
    # Half precision, the smallest of the three types, has no larger finite numbers.
    value = rng.choice(FLOATS)
    return value if not 6e4 < abs(value) < float("inf") else 6e4


_OF_BYTES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flip_bits,
    flip_bits,
    set_number,
    set_number,
    truncate,
    insert,
    swap,
)


def mutate_bytes(data: bytes, rng: Random) -> bytes:
    """Apply one of the mutations above."""
    return rng.choice(_OF_BYTES)(data, rng)


def json_value(rng: Random, like: Any = None) -> Any:
    """Return a value of JSON: a wrong one for anything, or one near ``like``."""
    if isinstance(like, int) and rng.random() < 0.6:
        return rng.choice((like + 1, like - 1, -like, like * 2, like * 1000, float(like)))
    if isinstance(like, list) and rng.random() < 0.6:
        return rng.choice((like[::-1], like[:-1], like + like, like * 500, [like]))
    kinds = (
        lambda: rng.choice(NUMBERS),
        lambda: -rng.choice(NUMBERS),
        lambda: rng.choice(FLOATS),
        lambda: rng.choice(_TEXTS),
        lambda: rng.choice((None, True, False, [], {}, [[]], {"name": "bytes"})),
        lambda: [rng.choice(NUMBERS) for _ in range(rng.randint(1, 5))],
    )
    return rng.choice(kinds)()


def mutate_json(value: Any, rng: Random) -> Any:
    """Return a copy of a value of JSON in which one value or key, at any depth, is another."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        what = rng.random()
        if what < 0.08:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.12:
            return {**value, rng.choice(_TEXTS): value[key]}
        if what < 0.2:
            return {**value, key: value[rng.choice(sorted(value))]}
        return {**value, key: mutate_json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], mutate_json(value[at], rng), *value[at + 1 :]]
    return json_value(rng, value)


def mutate_json_text(text: bytes, rng: Random) -> bytes:
    """Mutate a text of JSON by its values, or now and then by its bytes."""
    if rng.random() < 0.1:
        return mutate_bytes(text, rng)
    found = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = mutate_json(found, rng)
    return json.dumps(found).encode()


def mutate_files(files: Files, rng: Random) -> Files:
    """Remove a file, exchange two, or mutate the bytes of one."""
    name = rng.choice(sorted(files))
    what = rng.random()
    if what < 0.1:
        return {k: v for k, v in files.items() if k != name}
    if what < 0.2:
        other = rng.choice(sorted(files))
        return {**files, name: files[other], other: files[name]}
    return {**files, name: mutate_bytes(files[name], rng)}
