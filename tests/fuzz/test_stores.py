"""Texel stores of strangers: opened, or refused in one sentence, in bounded memory."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from bounded import bounded_memory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs import blosc, zstd
from parsers import PARSERS, made_up, stores, write

from napari_btf import read
from napari_btf.errors import BTFError, CaptureError

STORES = PARSERS["stores"]
SIZE = math.prod(made_up().frames.shape)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(number=st.integers(0, 2**32))
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    folder = tmp_path_factory.mktemp("store")
    write(STORES.example(number), folder)
    with bounded_memory():
        try:
            STORES.open(folder)
        except BTFError as error:
            said = str(error).replace(str(folder), "")
            assert "\n" not in said
            assert len(said) <= 300


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of one chunk."""
    write(stores()[0], tmp_path)
    STORES.open(tmp_path)
    return tmp_path


def edit(path: Path, change: Callable[[Any], object]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def refuses(folder: Path, problem: str) -> None:
    with bounded_memory(), pytest.raises(CaptureError, match=problem) as caught:
        STORES.open(folder)
    assert "ALLOW_UNSAFE" not in str(caught.value)


def set_chunk(folder: Path, chunk: bytes, entry: bytes = b"") -> None:
    """Put one chunk, with right checksums, into the only shard of a store."""

    def sealed(content: bytes) -> bytes:
        return content + google_crc32c.value(content).to_bytes(4, "little")

    entry = entry or struct.pack("<QQ", 0, len(chunk) + 4)
    (folder / "observations/c/0/0/0/0").write_bytes(sealed(chunk) + sealed(entry))


class _Payload:
    """What a pickle of a stranger may hold: it makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("place", ["consolidated", "itself", "zarr 2"])
def test_no_code_runs(store: Path, place: str) -> None:
    marker = store / "ran"
    filters = [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}]
    old = {
        "zarr_format": 2,
        "shape": [9, 3],
        "chunks": [9, 3],
        "dtype": "|O",
        "order": "C",
        "fill_value": None,
        "filters": filters,
        "compressor": None,
        "dimension_separator": ".",
    }
    (store / "light" / "0.0").write_bytes(pickle.dumps(_Payload(marker)))
    if place == "consolidated":
        said = {"kind": "inline", "must_understand": False, "metadata": {"light": old}}
        edit(store / "zarr.json", lambda group: group.update(consolidated_metadata=said))
        # What consolidated metadata say is not looked at, so the store is the same as before.
        STORES.open(store)
    elif place == "itself":
        codecs = [{"name": "numcodecs.pickle", "configuration": {"protocol": 5}}]
        edit(store / "light/zarr.json", lambda array: array.update(codecs=codecs))
        refuses(store, "light is not compressed as expected")
    else:
        (store / "light/zarr.json").unlink()
        (store / "light/.zarray").write_text(json.dumps(old))
        refuses(store, "light is missing")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["light", "view", "observations"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data_type", "string"),
        ("data_type", "|O"),
        ("data_type", {"name": "numpy.datetime64", "configuration": {"unit": "s"}}),
        ("codecs", [{"name": "vlen-utf8"}]),
        ("codecs", [{"name": "bytes", "configuration": {"endian": "big"}}]),
        ("codecs", [{"name": "bytes", "configuration": {"endian": "little"}}]),
        ("codecs", {"name": "gzip"}),
        ("fill_value", 0.57735026919),
        ("fill_value", "NaN"),
        ("shape", [9]),
        ("shape", [0, 3]),
        ("shape", [9, -3]),
        ("shape", [2**62, 3]),
        ("shape", [True, 3]),
        ("shape", "93"),
        ("chunk_grid", {"name": "rectangular", "configuration": {"chunk_shape": [[9], [3]]}}),
        ("chunk_grid", {"name": "regular", "configuration": {"chunk_shape": [0, 3]}}),
        ("chunk_key_encoding", {"name": "v2", "configuration": {"separator": "."}}),
        ("storage_transformers", [{"name": "other"}]),
        ("zarr_format", 2),
        ("node_type", "group"),
        ("unheard_of", {"must_understand": False}),
    ],
)
def test_only_what_is_written_is_allowed(store: Path, name: str, key: str, value: Any) -> None:
    edit(store / name / "zarr.json", lambda array: array.update({key: value}))
    refuses(store, r"the texel store is damaged \(")


def header(
    size: int = SIZE, whole: int = 16, block: int = 0, flags: int = 0x96, version: int = 2
) -> bytes:
    numbers = size % 2**32, (block or size) % 2**32, whole % 2**32
    return struct.pack("<BBBBIII", version, 1, flags, 1, *numbers)


@pytest.mark.parametrize(
    "chunk",
    [
        header(whole=SIZE + 16),
        header(1 << 28, (1 << 28) + 16),
        header(flags=0x02, whole=SIZE + 16),
        header(-16, 32) + bytes(16),
        header(0) + bytes(16),
        header(whole=32, flags=0x84, block=2**31) + bytes(16),
        header(whole=32, flags=0x84, block=-1) + bytes(16),
        header(whole=32, version=3) + bytes(16),
        header(whole=SIZE + 16)[:15],
        b"",
        bytes(blosc.compress(bytes(SIZE), b"lz4", 5)),
        bytes(blosc.compress(bytes(SIZE + 1), b"zstd", 5)),
        bytes(blosc.compress(bytes(2**26), b"zstd", 9)),
    ],
)
def test_headers_of_chunks_are_not_believed(store: Path, chunk: bytes) -> None:
    set_chunk(store, chunk)
    refuses(store, "this part of the texel store is damaged; copy the store again")


@pytest.mark.parametrize(
    "entry",
    [(0, 1 << 40), (1 << 40, 50), (2**64 - 1, 2**64 - 1), (2**64 - 8, 16), (0, 0), (0, 3), (5, 30)],
)
def test_places_of_chunks_are_not_believed(store: Path, entry: tuple[int, int]) -> None:
    set_chunk(store, b"xx" * 20, struct.pack("<QQ", *entry))
    refuses(store, "this part of the texel store is damaged")


def test_a_chunk_of_many_equal_values(store: Path) -> None:
    """2 GiB in 100 kB are refused, although the metadata claim as much."""

    def claim(array: dict[str, Any]) -> None:
        array["shape"][1:3] = 2**15, 2**14
        sharding = array["codecs"][0]["configuration"]
        for place in (array["chunk_grid"]["configuration"], sharding):
            place["chunk_shape"] = [1, 2**15, 2**14, 3]

    edit(store / "observations/zarr.json", claim)
    set_chunk(store, bytes(blosc.compress(bytes(2**24), b"zstd", 9)))
    refuses(store, r"observations: it claims 1.6 GB of values in few bytes|memory|free")


@pytest.mark.parametrize("count", [2**20, 150_000_000])
def test_directions_need_bytes(store: Path, count: int) -> None:
    for name in ("light", "view"):
        edit(store / name / "zarr.json", lambda array: array.update(shape=[count, 3]))
    edit(
        store / "observations/zarr.json",
        lambda array: array.update(shape=[count, *array["shape"][1:]]),
    )
    refuses(store, "which no capture has|has vectors that are missing")


@pytest.mark.parametrize(
    "content",
    [
        zstd.compress(bytes(2**26), 9),
        zstd.compress(bytes(24), 1),
        b"\x28\xb5\x2f\xfd\xe0" + (2**60).to_bytes(8, "little"),
        b"\x28\xb5\x2f\xfd",
        b"",
        bytes(9 * 24),
    ],
)
def test_files_of_directions_are_not_believed(store: Path, content: bytes) -> None:
    (store / "view/c/0/0").write_bytes(content)
    refuses(store, "view has a (damaged file|file that is too long)")


def test_names_and_notes_are_texts(store: Path) -> None:
    for key, value in (
        ("channel_names", "abc"),
        ("channel_names", ["one"]),
        ("source", None),
        ("source", {"notes": 3}),
        ("source", {"notes": [3]}),
    ):
        before = (store / "zarr.json").read_bytes()

        def change(group: dict[str, Any], said: Any = {key: value}) -> None:  # noqa: B006
            group["attributes"]["napari-btf"].update(said)

        edit(store / "zarr.json", change)
        refuses(store, "the texel store is damaged")
        (store / "zarr.json").write_bytes(before)


def test_a_store_of_many_directions(tmp_path: Path) -> None:
    """zarr writes more than one chunk of them, along both axes."""
    import zarr

    write(stores()[0], tmp_path)
    group = zarr.open_group(tmp_path, mode="r+", zarr_format=3)
    vectors = {}
    for name in ("light", "view"):
        vectors[name] = np.asarray(group[name][...])
        del group[name]
        group.create_array(name, data=vectors[name], chunks=(4, 2))
    btf = read(tmp_path)
    np.testing.assert_array_equal(btf.light, vectors["light"])
    np.testing.assert_array_equal(btf.view, vectors["view"])
