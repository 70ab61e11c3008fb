"""Own code against what could replace it: reading shards, checking a conversion, small kernels.

    python benchmarks/replacements.py [CAPTURE] [--texels 256 512]

Every row times both in turn, several times, and gives the medians. docs/lab/replacements.md says
what followed from the figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numba import njit, types

from napari_btf import read
from napari_btf.btf import BTF
from napari_btf.codec.decoding import kernels
from napari_btf.formats.conversion import convert
from napari_btf.formats.texel_store.workers import checksum_of
from napari_btf.progress import finish
from napari_btf.samples import sample_path

ROUNDS = 7


def compared(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Print the median milliseconds of two calls, which alternate."""
    ours(), theirs()
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for call, kept in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            call()
            kept.append(1e3 * (time.perf_counter() - start))
    own, other = (float(np.median(kept)) for kept in times)
    print(f"{name:<48}{own:>10.2f}{other:>12.2f}{other / own:>9.2f}")


def stores(capture: Path, folder: Path) -> None:
    """Own reader of shards against zarr, and the check at the end of a conversion."""
    path = folder / "capture.zarr"
    finish(convert(read(capture), path))
    btf: BTF = read(path)
    array: Any = zarr.open_group(path, mode="r")["observations"]
    frames: Any = btf.frames
    shards = frames.shards
    n, h, w, c = array.shape
    print(f"\nshards: {n} images of {w} x {h} x {c}, zarr {zarr.__version__}; own, zarr, ratio")
    compared("one image", lambda: btf.frame(n // 2), lambda: array[n // 2])
    y, x = min(16, h - 8), min(16, w - 8)
    box = (slice(0, n), slice(y, y + 8), slice(x, x + 8))
    compared("all observations of 8 x 8 texels", lambda: shards.read(box), lambda: array[box])
    everything = (slice(0, n), slice(0, h), slice(0, w))
    compared("the whole store", lambda: shards.read(everything), lambda: array[:])
    print("\nend of a conversion: checksums of values, or those of the chunks alone; ratio")
    compared(
        "read the whole store and check it",
        lambda: checksum_of(shards.read(everything)),
        lambda: shards.read(everything),
    )
    values = shards.read(everything)
    compared("checksums while it is written", lambda: checksum_of(values), lambda: None or 0)


def _plain(*signatures: Any) -> Callable[[Any], Any]:
    return njit(list(signatures), nogil=True, error_model="numpy")


def _given(dtype: Any, dimensions: int) -> Any:
    return types.Array(dtype, dimensions, "C", readonly=True)


def plain_kernels() -> dict[str, Any]:
    """The small kernels as loops of numba, without instructions of LLVM."""
    places = types.float32[:, :]

    @_plain(
        *(
            types.void(_given(kind, 2), places, types.intp, types.intp, types.boolean, places)
            for kind in (types.float32, types.uint8)
        )
    )
    def fetch(latents, places, height, width, periodic, out):  # type: ignore[no-untyped-def]
        tall, wide = np.float32(height), np.float32(width)
        for texel in range(places.shape[1]):
            y, x = places[0, texel], places[1, texel]
            if periodic:
                y -= tall * np.floor(y / tall)
                x -= wide * np.floor(x / wide)
            else:
                y = min(max(y, np.float32(0)), tall - np.float32(1))
                x = min(max(x, np.float32(0)), wide - np.float32(1))
            row, column = int(y), int(x)
            y, x = y - np.float32(row), x - np.float32(column)
            a = row * (width + 2) + column
            c = a + width + 2
            for k in range(latents.shape[1]):
                above, below = np.float32(latents[a, k]), np.float32(latents[c, k])
                above += x * (np.float32(latents[a + 1, k]) - above)
                below += x * (np.float32(latents[c + 1, k]) - below)
                out[texel, k] = above + y * (below - above)

    @_plain(types.void(_given(types.int16, 1), types.float32[::1], types.int32[::1]))
    def widen(latents, out, bits):  # type: ignore[no-untyped-def]
        # ``bits`` is the memory of ``out``: numba does not know half precision.
        for i in range(len(latents)):
            value = np.int32(latents[i])
            bits[i] = (value & np.int32(0x7FFF)) << np.int32(13)
        for i in range(len(latents)):
            value = out[i] * np.float32(2.0**112)
            out[i] = -value if latents[i] < 0 else value

    @_plain(
        types.void(
            _given(types.float32, 2), _given(types.float32, 2), _given(types.float32, 1), places
        )
    )
    def layer(inputs, weights, biases, out):  # type: ignore[no-untyped-def]
        for texel in range(inputs.shape[0]):
            for j in range(weights.shape[1]):
                out[texel, j] = biases[j]
            for k in range(inputs.shape[1]):
                value = inputs[texel, k]
                for j in range(weights.shape[1]):
                    out[texel, j] += value * weights[k, j]
            for j in range(weights.shape[1]):
                out[texel, j] = max(out[texel, j], np.float32(0))

    return {"fetch": fetch, "widen": widen, "layer": layer}


def machine_code(side: int, plain: dict[str, Any]) -> None:
    """The kernels with instructions of LLVM against plain loops."""
    random = np.random.default_rng(0)
    texels, k = side * side, 20
    places = (side * random.random((2, texels))).astype(np.float32)
    out = np.empty((texels, k), np.float32)
    print(f"\nkernels, {side} x {side} texels, {k} latents; own, plain loops, ratio")
    for kind in (np.float32, np.uint8):
        table = random.integers(0, 255, ((side + 2) ** 2, k)).astype(kind)
        args = (table, places, side, side, True, out)
        compared(
            f"fetch, {np.dtype(kind).name}",
            lambda args=args: kernels.fetch(*args),
            lambda args=args: plain["fetch"](*args),
        )
        kernels.fetch(*args)
        own = out.copy()
        plain["fetch"](*args)
        assert np.allclose(own, out, rtol=1e-5, atol=1e-4)
    half = random.normal(size=texels * k).astype(np.float16).view(np.int16)
    flat = np.empty(texels * k, np.float32)
    compared(
        "widen",
        lambda: kernels.widen(half, flat),
        lambda: plain["widen"](half, flat, flat.view(np.int32)),
    )
    assert np.array_equal(flat, half.view(np.float16).astype(np.float32))
    from napari_btf.codec.decoding.compiled import Packed

    sizes = (k, 56, 56, 56)
    weights = [random.normal(size=(b, a)).astype(np.float32) for a, b in zip(sizes, sizes[1:])]  # noqa: B905, RUF007
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]
    packed = Packed(weights, biases, kernels.LANES)
    latents = random.normal(size=(texels, k)).astype(np.float32)
    rooms = [np.empty((texels, b), np.float32) for b in sizes[1:]]
    tables = [np.ascontiguousarray(weight.T) for weight in weights]

    def by_loops() -> None:
        h = latents
        for table, bias, room in zip(tables, biases, rooms, strict=True):
            plain["layer"](h, table, bias, room)
            h = room

    compared(
        "layers, 20 to 3 x 56",
        lambda: kernels.layers(latents, packed.weights, packed.biases, packed.widths, rooms[-1]),
        by_loops,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", nargs="?", type=Path, default=sample_path())
    parser.add_argument("--texels", nargs="+", type=int, default=[256, 512])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stores(options.capture, Path(folder))
    start = time.perf_counter()
    plain = plain_kernels()
    print(f"\nplain loops compiled in {time.perf_counter() - start:.1f} s")
    for side in options.texels:
        machine_code(side, plain)


if __name__ == "__main__":
    main()
