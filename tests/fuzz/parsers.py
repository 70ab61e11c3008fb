"""The parsers that are fuzzed: their seeds, how these are mutated, and what opening them does."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import google_crc32c
import mutate
import numpy as np
from mutate import Files

from napari_btf import read
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, fit, load
from napari_btf.codec.decoding.layers import Layers
from napari_btf.codec.latents.quantised import quantise
from napari_btf.codec.parallax.model import ParallaxBTF
from napari_btf.codec.parallax.networks import Network
from napari_btf.codec.texel_network.model import AbrdfConvBTF, MlpBTF
from napari_btf.directions import angles_to_vectors
from napari_btf.formats.conversion import convert
from napari_btf.formats.texel_store.layout import Layout
from napari_btf.progress import finish


@dataclass(frozen=True)
class Parser:
    """What is fuzzed.

    Parameters
    ----------
    seeds : callable
        Return some good inputs; the result is kept.
    mutate : callable
        Return a damaged copy of an input.
    open : callable
        Open and decode the input in a folder, as a user would.
    """

    seeds: Callable[[], list[Files]]
    mutate: Callable[[Files, Random], Files]
    open: Callable[[Path], None]

    def example(self, number: int) -> Files:
        """Return the damaged input of a number, the same in every process."""
        rng = Random(number)
        files = rng.choice(self.seeds())
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            files = self.mutate(files, rng) or files
        return files


def write(files: Files, folder: Path) -> None:
    """Write the files of an input into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def made_up(dtype: Any = np.uint8, count: int = 9, size: tuple[int, ...] = (6, 9, 3)) -> BTF:
    """Return a small BTF of noise, under lights all over the hemisphere."""
    rng = np.random.default_rng(0)
    light = angles_to_vectors(np.linspace(0, 80, count), np.linspace(0, 900, count))
    view = angles_to_vectors(np.linspace(40, 3, count), np.linspace(50, -300, count))
    frames = rng.uniform(0, 1, (count, *size))
    scale = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return BTF((frames * scale).astype(dtype), light, view, "made/up", "memory", ("a note",))


# ------------------------------------------------------------------------------- texel stores


@cache
def stores() -> list[Files]:
    """Stores of several types: of noise, and of smooth values, which Blosc compresses."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for i, dtype in enumerate((np.uint8, np.uint16, np.float32)):
            btf = made_up(dtype)
            if i == 1:
                btf = BTF(btf.frames // 999 * 999, btf.light, btf.view, "smooth")
            layout = Layout(chunk=(4, 4, 4, 3), shard=(8, 8, 8, 3))
            path = Path(folder) / f"{i}.zarr"
            finish(convert(btf, path, layout=layout if i else None))
            names = (name for name in sorted(path.rglob("*")) if name.is_file())
            found.append({name.relative_to(path).as_posix(): name.read_bytes() for name in names})
    return found


def mutate_store(files: Files, rng: Random) -> Files:
    """Mutate metadata, or a chunk or an index whose checksums are right again."""
    what = rng.random()
    if what < 0.15:
        return mutate.mutate_files(files, rng)
    texts = [name for name in sorted(files) if name.endswith("zarr.json")]
    if what < 0.5 and texts:
        name = rng.choice(texts)
        try:
            return {**files, name: mutate.mutate_json_text(files[name], rng)}
        except ValueError:
            return files
    shards = [name for name in sorted(files) if name.startswith("observations/c/")]
    if not shards:
        return files
    name = rng.choice(shards)
    return {**files, name: _mutate_shard(files[name], rng)}


def _mutate_shard(data: bytes, rng: Random) -> bytes:
    entries = _entries(data)
    if not entries:
        return mutate.mutate_bytes(data, rng)
    chunks = [data[start : start + length] for start, length in entries]
    at = rng.randrange(len(chunks))
    if rng.random() < 0.7:
        content = chunks[at][:-4]
        # The header of Blosc, the places of its blocks, or the blocks.
        how = rng.choice((mutate.mutate_bytes, _set_in_header, _set_in_header))
        chunks[at] = _sealed(how(content, rng))
        starts = np.cumsum([0, *map(len, chunks)]).tolist()
        entries = [(start, len(chunk)) for start, chunk in zip(starts, chunks, strict=False)]
    index = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    if rng.random() < 0.3:
        index = mutate.set_number(index, rng)
    return b"".join(chunks) + _sealed(index)


def _set_in_header(content: bytes, rng: Random) -> bytes:
    return mutate.set_number(content, rng, within=24)


def _entries(data: bytes) -> list[tuple[int, int]]:
    """Return (offset, length) of the chunks of a shard, whose number is not in it."""
    for count in (1, 2, 4, 8):
        size = 16 * count
        index = data[-size - 4 : -4]
        if len(index) == size and _sealed(index) == data[-size - 4 :]:
            return [struct.unpack_from("<QQ", index, 16 * i) for i in range(count)]
    return []


def _sealed(content: bytes) -> bytes:
    return content + google_crc32c.value(content).to_bytes(4, "little")


def open_store(folder: Path) -> None:
    """Open a store, and read images and texels."""
    btf = read(folder)
    btf.info()
    btf.frame(0)
    btf.frame(len(btf) - 1)
    btf.texels(np.array([[0, 0], [btf.height - 1, btf.width - 1]]))


# ------------------------------------------------------------------------------- models


@cache
def models() -> list[Files]:
    """A model of each codec: networks are random, because training them would take long."""
    btf = made_up(size=(5, 6, 3), count=12)
    rng = np.random.default_rng(1)
    common: dict[str, Any] = {"light": btf.light, "view": btf.view, "dtype": np.dtype("u1")}
    latents = rng.normal(0, 1, (5, 6, 5)).astype(np.float32)
    shade, depth, shift = (_network(n, out, rng) for n, out in ((4, 3), (1, 1), (3, 1)))
    found = [
        finish(fit(btf, settings=FitSettings(3))),
        finish(fit(made_up(np.float16), settings=FitSettings(2))),
        AbrdfConvBTF.trained(_layers((9, 8, 3), rng), latents, **common),
        MlpBTF.trained(_layers((7, 8, 3), rng), latents, **common),
        ParallaxBTF(
            latents=quantise(latents),
            depth_latents=1,
            light_latents=1,
            depth=_with_features(depth, 5, rng),
            shift=_with_features(shift, 8, rng),
            shade=_with_features(shade, 8, rng),
            periodic=True,
            light_radius=0.9,
            view_radius=0.5,
            **common,
        ),
    ]
    return [{"model.safetensors": model.to_bytes()} for model in found]


def _layers(widths: tuple[int, ...], rng: np.random.Generator) -> Layers:
    pairs = list(zip(widths[1:], widths[:-1], strict=True))
    return Layers(
        tuple(rng.normal(0, 0.5, pair).astype(np.float32) for pair in pairs),
        tuple(rng.normal(0, 0.5, pair[0]).astype(np.float32) for pair in pairs),
    )


def _network(inputs: int, outputs: int, rng: np.random.Generator) -> Layers:
    return _layers((inputs, 6, outputs), rng)


def _with_features(layers: Layers, features: int, rng: np.random.Generator) -> Network:
    return Network(layers, _layers((features, 4, 12), rng))


def mutate_model(files: Files, rng: Random) -> Files:
    """Mutate the header, the description or a tensor of a model file."""
    (name, data), *_ = files.items()
    length = int.from_bytes(data[:8], "little")
    if rng.random() < 0.1:
        return {name: mutate.mutate_bytes(data, rng)}
    try:
        table = json.loads(data[8 : 8 + length])
        description = json.loads(table["__metadata__"]["napari-btf"])
        tensors = {
            key: [entry["dtype"], entry["shape"], _piece(data[8 + length :], entry)]
            for key, entry in table.items()
            if key != "__metadata__"
        }
    except (ValueError, KeyError, TypeError):
        return {name: mutate.mutate_bytes(data, rng)}
    what, key = rng.random(), rng.choice(sorted(tensors))
    if what < 0.35:
        description = mutate.mutate_json(description, rng)
    elif what < 0.55:
        tensors[key][2] = _same_length(tensors[key][2], rng)
    elif what < 0.65:
        tensors[key][2] = mutate.mutate_bytes(tensors[key][2], rng)
    elif what < 0.75:
        other = rng.choice(sorted(tensors))
        tensors[key][2], tensors[other][2] = tensors[other][2], tensors[key][2]
    elif what < 0.85:
        tensors[key][rng.randrange(2)] = mutate.json_value(rng, tensors[key][1])
    elif what < 0.95:
        tensors[key] = _repeated(tensors[key])
    else:
        del tensors[key]
    return {name: model_bytes(tensors, description)}


def _piece(body: bytes, entry: dict[str, Any]) -> bytes:
    start, end = entry["data_offsets"]
    return body[start:end]


def _same_length(raw: bytes, rng: Random) -> bytes:
    changed = rng.choice((mutate.flip_bits, mutate.set_number, mutate.swap))(raw, rng)
    return (changed + raw)[: len(raw)]


def _repeated(tensor: list[Any]) -> list[Any]:
    """Return a tensor all of whose rows are the first one."""
    dtype, shape, raw = tensor
    rows = shape[0] if isinstance(shape, list) and shape else 1
    # An earlier mutation may have made any value of it.
    row = raw[: len(raw) // rows] if isinstance(rows, int) and rows > 0 else raw
    return [dtype, shape, row * (len(raw) // max(1, len(row)))]


def model_bytes(tensors: dict[str, Any], description: Any) -> bytes:
    """Return a model file with any tensors (dtype, shape, bytes) and any description."""
    body, table = b"", {}
    for key, (dtype, shape, raw) in tensors.items():
        offsets = [len(body), len(body) + len(raw)]
        table[key] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += raw
    table["__metadata__"] = {"napari-btf": json.dumps(description)}
    header = json.dumps(table).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + body


def open_model(folder: Path) -> None:
    """Load a model and decode it; what is loaded has to be decoded."""
    model = load(folder / "model.safetensors")
    for theta in (0, 40):
        pair = angles_to_vectors(theta, 200), angles_to_vectors(theta / 3, 100)
        image = model.decode(*pair)
        assert np.isfinite(image).all(), "an image has values that are not finite"
        assert model.image(*pair).shape == image.shape
    assert model.file_size > 0


#: What can be fuzzed, by name. A new parser is a line here.
PARSERS = {
    "stores": Parser(stores, mutate_store, open_store),
    "models": Parser(models, mutate_model, open_model),
}
