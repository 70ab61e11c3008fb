from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import BTFError, CaptureError, StoreError
from napari_btf.formats import read, recognises
from napari_btf.formats._texel_store_layout import (
    BLOCK_BYTES,
    SHARD_BYTES,
    Layout,
    choose_layout,
)
from napari_btf.formats.conversion import convert
from napari_btf.progress import Progress, finish

Write = Callable[..., Path]

#: Several chunks, shards and blocks of what `made_up` makes, none of which fits its size.
SMALL = Layout(chunk=(4, 8, 16, 3), shard=(8, 16, 32, 3))


class Source:
    """A capture made up on the fly, which remembers the images it was asked for."""

    def __init__(self, shape: tuple[int, ...], dtype: Any = np.uint8, seed: int = 0) -> None:
        self.shape, self.ndim, self.dtype, self.seed = shape, 4, np.dtype(dtype), seed
        self.asked: list[int] = []

    def image(self, i: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, i])
        if self.dtype.kind == "f":
            return rng.normal(1, 3, self.shape[1:]).astype(self.dtype)
        return rng.integers(0, np.iinfo(self.dtype).max, self.shape[1:], self.dtype)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        images = np.arange(len(self))[key[0]]
        self.asked += np.atleast_1d(images).tolist()
        if images.ndim:
            return np.stack([self.image(i) for i in images])[:, *key[1:]]
        return self.image(int(images))[key[1:]]

    def __len__(self) -> int:
        return self.shape[0]


def made_up(
    count: int = 37,
    height: int = 21,
    width: int = 50,
    channels: int = 3,
    dtype: Any = np.uint8,
    seed: int = 0,
) -> tuple[BTF, Source]:
    """A lazy BTF of scattered directions, and what its images come from."""
    source = Source((count, height, width, channels), dtype, seed)
    meta = np.empty((0,) * 4, dtype=dtype)
    frames = da.from_array(
        source, chunks=(1, *source.shape[1:]), asarray=False, meta=meta, name=False
    )
    light = angles_to_vectors(np.linspace(0, 80, count), np.linspace(0, 1000, count))
    view = angles_to_vectors(np.linspace(70, 3, count), np.linspace(50, -300, count))
    notes = ("an image was left out",)
    return BTF(frames, light, view, "made/up", "image folder", notes), source


def all_of(btf: BTF) -> np.ndarray:
    return np.stack([btf.frame(i) for i in range(len(btf))])


def content(store: Path) -> dict[str, Any]:
    """All files of a store, without the date."""
    found: dict[str, Any] = {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }
    about = json.loads(found["zarr.json"])
    del about["attributes"]["napari-btf"]["created"]
    return found | {"zarr.json": about}


def shards(store: Path) -> list[Path]:
    return sorted(path for path in (store / "observations" / "c").rglob("*") if path.is_file())


def partial_of(store: Path) -> Path:
    return store.with_name(f".{store.name}.partial")


def spoil_chunks(store: Path, kept: Callable[[tuple[int, ...]], bool]) -> int:
    """Overwrite all chunks but some, chosen by their place; how many chunks are left."""
    array = zarr.open_group(store, mode="r")["observations"]
    grid = [s // c for s, c in zip(array.shards, array.chunks, strict=True)]
    left = 0
    for path in shards(store):
        shard = [int(part) for part in path.relative_to(store / "observations" / "c").parts]
        data = bytearray(path.read_bytes())
        index = np.frombuffer(data[-16 * int(np.prod(grid)) - 4 : -4], "<u8").reshape(*grid, 2)
        for inner in np.ndindex(*grid):
            start, length = index[inner].tolist()
            place = tuple(s * g + i for s, g, i in zip(shard, grid, inner, strict=True))
            if start == 2**64 - 1:
                continue
            if kept(place):
                left += 1
            else:
                data[start : start + length] = bytes(length)
        path.write_bytes(data)
    return left


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of `made_up`, in small pieces."""
    return finish(convert(made_up()[0], tmp_path / "store.zarr", layout=SMALL))


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
    @pytest.mark.parametrize("channels", [1, 3, 7])
    def test_values_directions_and_notes(self, tmp_path: Path, dtype: Any, channels: int) -> None:
        btf, _ = made_up(channels=channels, dtype=dtype)
        layout = Layout((4, 8, 16, channels), (8, 16, 32, channels))
        path = finish(convert(btf, tmp_path / "new" / "store.zarr", layout=layout))
        assert path == tmp_path / "new" / "store.zarr"
        assert [entry.name for entry in path.parent.iterdir()] == ["store.zarr"]
        assert recognises(path)
        stored = read(path)
        assert stored.info() == btf.info() | {"format": "texel store"}
        assert (stored.name, stored.notes) == ("store", btf.notes)
        assert stored.values.largest == btf.values.largest
        np.testing.assert_array_equal(all_of(stored), all_of(btf))
        np.testing.assert_array_equal(stored.light, btf.light)
        np.testing.assert_array_equal(stored.view, btf.view)

    def test_values_that_are_no_numbers_stay(self, tmp_path: Path) -> None:
        frames = np.zeros((2, 4, 5, 3), np.float32)
        frames[0, 1], frames[0, 2] = np.nan, -np.inf
        directions = angles_to_vectors([0, 10], [0, 0])
        btf = BTF(frames, directions, directions)
        stored = read(finish(convert(btf, tmp_path / "x.zarr")))
        np.testing.assert_array_equal(all_of(stored), frames)

    @pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 5, 200, 3), (70, 17, 16, 2)])
    def test_any_size_with_the_chosen_layout(
        self, tmp_path: Path, shape: tuple[int, int, int, int]
    ) -> None:
        btf, _ = made_up(*shape)
        stored = read(finish(convert(btf, tmp_path / "store.zarr")))
        np.testing.assert_array_equal(all_of(stored), all_of(btf))

    def test_zarr_reads_the_same(self, store: Path) -> None:
        group = zarr.open_group(store, mode="r")
        array = group["observations"]
        assert array.metadata.dimension_names == ("observation", "y", "x", "channel")
        assert (array.chunks, array.shards) == (SMALL.chunk, SMALL.shard)
        np.testing.assert_array_equal(array[...], all_of(made_up()[0]))
        np.testing.assert_array_equal(group["light"][...], made_up()[0].light)
        about = group.attrs["napari-btf"]
        assert about["format"] == "napari-btf texel store"
        assert about["version"] == 1
        assert about["source"] == {
            "name": "up",
            "format": "image folder",
            "notes": ["an image was left out"],
        }
        assert about["value_scale"] == 255
        assert about["color_space"] == "as captured"
        assert about["created"].startswith("20")
        assert not (store / "conversion.jsonl").exists()

    def test_a_folder_and_a_store_of_it_and_a_store_of_that(
        self, write_capture: Write, tmp_path: Path
    ) -> None:
        folder = read(write_capture(views=3, lights=7))
        store = read(finish(convert(folder, tmp_path / "one.zarr")))
        again = read(finish(convert(store, tmp_path / "two.zarr")))
        for other in (store, again):
            assert other.grid.missing_pairs == folder.grid.missing_pairs
            np.testing.assert_array_equal(np.asarray(other.stack()), np.asarray(folder.stack()))

    def test_foreign_byte_order_becomes_ours(self, tmp_path: Path) -> None:
        btf, _ = made_up(dtype=np.uint16)
        swapped = replace(btf, frames=all_of(btf).astype(">u2"))
        stored = read(finish(convert(swapped, tmp_path / "store.zarr")))
        assert stored.frames.dtype == np.dtype("=u2")
        np.testing.assert_array_equal(all_of(stored), all_of(btf))


class TestReadingParts:
    def test_texels_as_from_the_images(self, store: Path) -> None:
        images, stored = made_up()[0], read(store)
        rng = np.random.default_rng(1)
        for count in (0, 1, 5, 400):
            coords = np.stack([rng.integers(0, 21, count), rng.integers(0, 50, count)], axis=1)
            np.testing.assert_array_equal(stored.texels(coords), images.texels(coords))

    @given(
        keep=st.lists(st.integers(0, 36), min_size=1, max_size=50),
        coords=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 49)), max_size=12),
        again=st.booleans(),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_some_observations(
        self, store: Path, keep: list[int], coords: list[tuple[int, int]], again: bool
    ) -> None:
        expected = all_of(made_up()[0])[keep]
        some = read(store).select(keep)
        if again:
            some = some.select(np.arange(len(some))[::-2])
            expected = expected[::-2]
        assert some.gatherer is not None
        yx = np.array(coords, dtype=int).reshape(-1, 2)
        gathered = expected[:, yx[:, 0], yx[:, 1]].transpose(1, 0, 2)
        np.testing.assert_array_equal(some.texels(yx), gathered)
        np.testing.assert_array_equal(np.stack(list(some.iter_frames())), expected)
        np.testing.assert_array_equal(some.frame(len(expected) // 2), expected[len(expected) // 2])

    @pytest.mark.parametrize(
        "key",
        [
            np.s_[5],
            np.s_[:, 3, 7],
            np.s_[::-1, ::3, 40:20:-2],
            np.s_[[7, 7, 2], ..., 1],
            np.s_[np.array([3, 1]), 2:9],
            np.s_[30:99, -1, :, ::2],
            np.s_[4:4],
        ],
    )
    def test_the_lazy_array_is_indexed_like_any(self, store: Path, key: Any) -> None:
        expected = all_of(made_up()[0])
        np.testing.assert_array_equal(np.asarray(read(store).frames[key]), expected[key])

    def test_steps_of_a_gather(self, store: Path) -> None:
        seen: list[tuple[int, int]] = []
        read(store).texels([[0, 0], [20, 49]], lambda done, total: seen.append((done, total)))
        assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))

    def test_texels_need_their_tiles_only(self, store: Path) -> None:
        coords = [[9, 20], [15, 31], [10, 16]]
        expected = made_up()[0].texels(coords)
        # Tile (1, 1) of texels, in all ten layers of observations.
        assert spoil_chunks(store, lambda place: place[1:] == (1, 1, 0)) == 10
        stored = read(store)
        np.testing.assert_array_equal(stored.texels(coords), expected)
        with pytest.raises(CaptureError, match="damaged"):
            stored.texels([[7, 20]])

    def test_a_slider_step_needs_one_layer_only(self, store: Path) -> None:
        assert spoil_chunks(store, lambda place: place[0] == 3) == 3 * 4
        stored, images = read(store), made_up()[0]
        for i in range(12, 16):
            np.testing.assert_array_equal(stored.frame(i), images.frame(i))
            np.testing.assert_array_equal(np.asarray(stored.stack()[i]), images.frame(i))
        with pytest.raises(CaptureError, match="damaged"):
            stored.frame(16)

    def test_one_pass_decodes_every_chunk_once(self, tmp_path: Path) -> None:
        frames: Any = read(finish(convert(made_up()[0], tmp_path / "s.zarr", layout=SMALL))).frames
        assert frames.chunks[0] == (4,) * 9 + (1,)
        assert frames.chunks[1:] == ((21,), (50,), (3,))

    def test_frames_put_in_their_place_are_the_ones_read(self, store: Path) -> None:
        stored = read(store)
        dark = replace(stored, frames=np.zeros_like(all_of(stored)))
        assert not dark.texels([[1, 2]]).any()
        assert not dark.select([3]).texels([[1, 2]]).any()

    def test_a_fit_learns_the_same_from_both(self, write_capture: Write, tmp_path: Path) -> None:
        folder = read(write_capture(views=3, lights=8))
        store = read(finish(convert(folder, tmp_path / "store.zarr")))
        coords = [[y, x] for y in range(3, 9) for x in range(2, 12)]
        chosen = FitSettings(4, NetworkSettings(epochs=3))
        models = [finish(fit(btf, coords, chosen)) for btf in (folder, store)]
        np.testing.assert_array_equal(models[0].latent_map, models[1].latent_map)


class TestInterruption:
    def interrupted(self, store: Path, reports: int) -> None:
        job = convert(made_up()[0], store, layout=SMALL)
        for _ in range(reports):
            next(job)
        job.close()
        assert not store.exists()
        assert partial_of(store).is_dir()

    @pytest.mark.parametrize("reports", [1, 2, 9, 10, 17, 20, 37, 38, 39, 45])
    def test_goes_on_where_it_was_and_gives_the_same(
        self, store: Path, tmp_path: Path, reports: int
    ) -> None:
        resumed = tmp_path / "resumed.zarr"
        self.interrupted(resumed, reports)
        btf, source = made_up()
        seen: list[Progress] = []
        finish(convert(btf, resumed, layout=SMALL), seen.append)
        assert content(resumed) == content(store)
        # The first report counts as none; a block is written after its eighth image.
        done = min((max(reports - 2, 0) // 8) * 8, 37) if reports < 39 else 37
        assert (seen[0].phase, seen[0].step) == ("convert", done)
        # Three images tell whether it is the same capture.
        assert sorted(source.asked[3:]) == list(range(done, 37))
        assert not partial_of(resumed).exists()

    def test_two_conversions_to_one_place(self, store: Path, tmp_path: Path) -> None:
        target = tmp_path / "b.zarr"
        first = convert(read(store), target)
        next(first)
        with pytest.raises(StoreError, match=r"b\.zarr: another conversion writes it right now"):
            next(convert(read(store), target))
        assert finish(first) == target
        assert sorted(path.name for path in tmp_path.iterdir() if "b.zarr" in path.name) == [
            "b.zarr"
        ]

    def test_a_journal_cut_short(self, store: Path, tmp_path: Path) -> None:
        resumed = tmp_path / "resumed.zarr"
        self.interrupted(resumed, 30)
        journal = partial_of(resumed) / "conversion.jsonl"
        journal.write_text(journal.read_text()[:-9])
        finish(convert(made_up()[0], resumed, layout=SMALL))
        assert content(resumed) == content(store)

    def test_a_beginning_without_a_journal(self, store: Path, tmp_path: Path) -> None:
        resumed = tmp_path / "resumed.zarr"
        (partial_of(resumed) / "observations").mkdir(parents=True)
        finish(convert(made_up()[0], resumed, layout=SMALL))
        assert content(resumed) == content(store)

    @pytest.mark.parametrize("other", [{"seed": 1}, {"count": 36}, {"width": 49}])
    def test_another_capture_is_refused_until_restarted(
        self, store: Path, tmp_path: Path, other: dict[str, int]
    ) -> None:
        target = tmp_path / "target.zarr"
        job = convert(made_up(**other)[0], target, layout=SMALL)
        for _ in range(20):
            next(job)
        job.close()
        with pytest.raises(StoreError, match=r"\.target\.zarr\.partial: .*'up'.* --restart"):
            finish(convert(made_up()[0], target, layout=SMALL))
        finish(convert(made_up()[0], target, layout=SMALL, restart=True))
        assert content(target) == content(store)

    def test_other_directions_are_another_capture(self, tmp_path: Path) -> None:
        target = tmp_path / "target.zarr"
        self.interrupted(target, 20)
        btf = made_up()[0]
        with pytest.raises(StoreError, match="--restart"):
            finish(convert(replace(btf, light=btf.light[::-1]), target, layout=SMALL))

    def test_a_journal_that_is_none(self, tmp_path: Path) -> None:
        target = tmp_path / "target.zarr"
        self.interrupted(target, 20)
        (partial_of(target) / "conversion.jsonl").write_text("hello\n")
        with pytest.raises(StoreError, match=r"something else.*--restart"):
            finish(convert(made_up()[0], target, layout=SMALL))

    def test_a_description_that_was_damaged_meanwhile(self, tmp_path: Path) -> None:
        target = tmp_path / "target.zarr"
        self.interrupted(target, 20)
        (partial_of(target) / "observations" / "zarr.json").write_text("{")
        with pytest.raises(StoreError, match=r"partial: .*damaged; add --restart"):
            finish(convert(made_up()[0], target, layout=SMALL))

    def test_what_was_damaged_meanwhile_is_found(self, tmp_path: Path) -> None:
        target = tmp_path / "target.zarr"
        self.interrupted(target, 30)
        first = shards(partial_of(target))[0]
        for damage in (
            lambda: first.write_bytes(first.read_bytes()[:-1]),
            lambda: shutil.copy(shards(partial_of(target))[-1], first),
            first.unlink,
        ):
            damage()
            with pytest.raises(StoreError, match=r"0/0/0/0: it does not read back.*--restart"):
                finish(convert(made_up()[0], target, layout=SMALL))
            assert not target.exists()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
    @pytest.mark.parametrize("blocks", [1, 3])
    def test_killed_in_the_middle(self, tmp_path: Path, blocks: int) -> None:
        code = textwrap.dedent(
            """
            import sys, time
            sys.path.insert(0, sys.argv[2])
            from test_texel_store import SMALL, made_up
            from napari_btf.formats.conversion import convert
            for progress in convert(made_up()[0], sys.argv[1], layout=SMALL):
                print(progress.phase, progress.step, flush=True)
                time.sleep(0.02)
            """
        )
        target = tmp_path / "killed.zarr"
        command = [sys.executable, "-c", code, str(target), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.split() == ["convert", str(8 * blocks + 1)]:
                    process.kill()
                    break
            process.stdout.read()
        assert process.returncode == -signal.SIGKILL
        assert not target.exists()
        btf, source = made_up()
        finish(convert(btf, target, layout=SMALL))
        assert min(source.asked[3:]) >= 8 * blocks
        whole = finish(convert(btf, tmp_path / "whole.zarr", layout=SMALL))
        assert content(target) == content(whole)


class TestPlaces:
    def test_a_store_is_not_overwritten_by_itself(self, store: Path) -> None:
        before = content(store)
        other = made_up(seed=5)[0]
        with pytest.raises(StoreError, match=r"store\.zarr: there is a texel store.*--overwrite"):
            finish(convert(other, store))
        assert content(store) == before
        finish(convert(other, store, overwrite=True))
        np.testing.assert_array_equal(all_of(read(store)), all_of(other))
        assert [entry.name for entry in store.parent.iterdir()] == ["store.zarr"]

    def test_the_older_store_stays_until_the_new_one_is_complete(self, store: Path) -> None:
        before = content(store)
        job = convert(made_up(seed=5)[0], store, overwrite=True)
        for _ in range(5):
            next(job)
        job.close()
        assert content(store) == before

    def test_a_store_may_be_made_of_itself(self, store: Path) -> None:
        finish(convert(read(store), store, overwrite=True))
        np.testing.assert_array_equal(all_of(read(store)), all_of(made_up()[0]))

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_what_is_no_store_is_never_overwritten(self, tmp_path: Path, overwrite: bool) -> None:
        (tmp_path / "file.zarr").write_text("mine")
        (tmp_path / "folder.zarr").mkdir()
        (tmp_path / "link.zarr").symlink_to(tmp_path / "nowhere")
        zarr.open_group(tmp_path / "other.zarr", mode="w")
        for name in ("file", "folder", "link", "other"):
            with pytest.raises(StoreError, match=rf"{name}\.zarr: there is something else"):
                finish(convert(made_up()[0], tmp_path / f"{name}.zarr", overwrite=overwrite))
        assert len(list(tmp_path.iterdir())) == 4

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        btf, source = made_up()
        with pytest.raises(StoreError, match=r"file/store\.zarr: it cannot be written.*another"):
            finish(convert(btf, tmp_path / "file" / "store.zarr"))
        assert len(source.asked) <= 3

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_may_not_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(StoreError, match="cannot be written"):
                finish(convert(made_up()[0], tmp_path / "store.zarr"))
        finally:
            tmp_path.chmod(0o700)

    def test_a_full_disk(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "target.zarr"
        write, left = zarr.storage.LocalStore.set, [12]

        async def write_some(self: Any, key: str, value: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), key)
            await write(self, key, value)

        with monkeypatch.context() as patch:
            patch.setattr(zarr.storage.LocalStore, "set", write_some)
            with pytest.raises(StoreError, match=r"the disk is full.*free some space.*goes on"):
                finish(convert(made_up()[0], target, layout=SMALL))
        assert not target.exists()
        btf, source = made_up()
        finish(convert(btf, target, layout=SMALL))
        assert min(source.asked[3:]) > 0
        assert content(target) == content(store)

    def test_an_image_that_cannot_be_read(self, write_capture: Write, tmp_path: Path) -> None:
        folder = write_capture(extension=".jpg", height=64, width=64)
        name = sorted(folder.iterdir())[4]
        whole = name.read_bytes()
        name.write_bytes(whole[:-200])
        target = tmp_path / "target.zarr"
        with pytest.raises(CaptureError, match=r"00004 tl.*truncated"):
            finish(convert(read(folder), target))
        assert not target.exists()
        name.write_bytes(whole)
        finish(convert(read(folder), target))
        np.testing.assert_array_equal(all_of(read(target)), all_of(read(folder)))


class TestWrongStores:
    def test_other_zarr(self, tmp_path: Path) -> None:
        group = zarr.open_group(tmp_path / "group.zarr", mode="w")
        group.create_array("observations", data=np.zeros((3, 4, 5, 3), np.uint8))
        zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
        for name in ("group.zarr", "old.zarr", "group.zarr/observations"):
            assert not recognises(tmp_path / name)
            with pytest.raises(CaptureError, match=f"{name}: .*another kind; expected a texel"):
                read(tmp_path / name)

    def test_unfinished(self, tmp_path: Path) -> None:
        job = convert(made_up()[0], tmp_path / "store.zarr", layout=SMALL)
        for _ in range(10):
            next(job)
        job.close()
        partial = partial_of(tmp_path / "store.zarr")
        assert not recognises(partial)
        with pytest.raises(CaptureError, match=r"unfinished.*convert again to finish"):
            read(partial)

    def test_a_later_version(self, store: Path) -> None:
        group = zarr.open_group(store, mode="r+")
        group.attrs["napari-btf"] = group.attrs["napari-btf"] | {"version": 2}
        assert recognises(store)
        with pytest.raises(CaptureError, match=r"store\.zarr: .*version 2.*update napari-btf"):
            read(store)

    @pytest.mark.parametrize("name", ["light", "view", "observations"])
    def test_without_an_array(self, store: Path, name: str) -> None:
        shutil.rmtree(store / name)
        with pytest.raises(CaptureError, match=r"store\.zarr: the texel store is damaged"):
            read(store)

    def test_without_directions(self, store: Path) -> None:
        shutil.rmtree(store / "view" / "c")
        with pytest.raises(CaptureError, match=r"damaged.*view has vectors"):
            read(store)

    def test_in_chunks_of_another_kind(self, store: Path) -> None:
        shutil.rmtree(store / "observations")
        group = zarr.open_group(store, mode="r+")
        group.create_array("observations", data=np.zeros((37, 21, 50, 3), np.uint8))
        with pytest.raises(CaptureError, match="observations are not in shards"):
            read(store)

    @given(data=st.data())
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        deadline=None,
        max_examples=60,
    )
    def test_any_damage_of_the_descriptions_is_one_sentence(
        self, store: Path, data: st.DataObject
    ) -> None:
        name = data.draw(st.sampled_from(["zarr.json", "observations/zarr.json"]))
        whole = (store / name).read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + 1 :]
        (store / name).write_bytes(damaged)
        said = str(store)
        try:
            recognises(store)
            read(store).frame(0)
        except BTFError as error:
            said = str(error)
        finally:
            (store / name).write_bytes(whole)
        assert str(store) in said
        assert "\n" not in said

    @given(data=st.data())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_any_damage_of_the_values_is_found(self, store: Path, data: st.DataObject) -> None:
        path = shards(store)[0]
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        change = data.draw(st.integers(1, 255))
        damaged = whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]
        if data.draw(st.booleans()):
            damaged = whole[:at]
        path.write_bytes(damaged)
        try:
            with pytest.raises(CaptureError, match=r"store\.zarr/observations/c/0/0/0/0: .*again"):
                list(read(store).iter_frames())
        finally:
            path.write_bytes(whole)

    def test_a_missing_file_is_no_black_image(self, store: Path) -> None:
        shards(store)[0].unlink()
        stored = read(store)
        for wanted in (lambda: stored.frame(0), lambda: stored.texels([[0, 0]])):
            with pytest.raises(CaptureError, match="is missing; copy the store again"):
                wanted()
        np.testing.assert_array_equal(stored.frame(36), made_up()[0].frame(36))


class TestLayout:
    @given(
        shape=st.tuples(
            st.integers(1, 30000),
            st.integers(1, 9000),
            st.integers(1, 9000),
            st.integers(1, 40),
        ),
        itemsize=st.sampled_from([1, 2, 4]),
    )
    @example((5824, 4, 51, 40), 4)
    @settings(deadline=None)
    def test_fits_and_is_bounded(self, shape: tuple[int, int, int, int], itemsize: int) -> None:
        layout = choose_layout(shape, itemsize)
        image = int(np.prod(shape[1:])) * itemsize
        for length, chunk, shard in zip(shape, layout.chunk, layout.shard, strict=True):
            assert 1 <= chunk <= length
            assert shard % chunk == 0
            assert shard < length + chunk
        assert min(layout.shard[0], shape[0]) * image <= max(BLOCK_BYTES, image)
        chunk_bytes = int(np.prod(layout.chunk)) * itemsize
        assert int(np.prod(layout.shard)) * itemsize <= max(SHARD_BYTES, chunk_bytes)

    def test_large_captures_are_cut_both_ways(self) -> None:
        deep, high, wide, _ = choose_layout((22801, 512, 512, 3), 1).chunk
        assert 8 <= deep <= 64
        assert 16 <= high == wide <= 64


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_is_bounded(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import resource, sys
        import numpy as np
        import dask.array as da
        import zarr
        from napari_btf import BTF, read
        from napari_btf.directions import angles_to_vectors
        from napari_btf.formats.conversion import convert
        from napari_btf.progress import finish

        class Source:
            shape, ndim, dtype = (1366, 512, 512, 3), 4, np.dtype("u1")
            def __getitem__(self, key):
                images = np.arange(1366)[key[0]] % 251
                return np.full((*images.shape, 512, 512, 3), images[..., None, None, None], "u1")

        frames = da.from_array(
            Source(), chunks=(1, 512, 512, 3), asarray=False, meta=np.empty((0,) * 4, "u1")
        )
        vectors = angles_to_vectors(np.linspace(0, 80, 1366), np.linspace(0, 999, 1366))
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        before = peak()
        finish(convert(BTF(frames, vectors, vectors), sys.argv[1]))
        btf = read(sys.argv[1])
        sums = [int(frame[0, 0, 0]) for frame in btf.iter_frames()]
        assert sums == [i % 251 for i in range(1366)]
        assert btf.texels([[y, x] for y in range(9) for x in range(9)]).shape == (81, 1366, 3)
        print(btf.nbytes >> 20, peak() - before)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store.zarr")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    mebibytes, used = map(int, done.stdout.split())
    assert mebibytes > 1000
    # On a Mac ru_maxrss counts bytes.
    assert used < 512 * (1024 if sys.platform == "darwin" else 1)


def test_opening_reads_no_values(store: Path) -> None:
    shutil.rmtree(store / "observations" / "c")
    start = time.perf_counter()
    assert read(store).info()["images"] == 37
    assert time.perf_counter() - start < 5
