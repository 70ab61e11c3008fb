"""Texel stores: what was written is read, in whatever parts, and damage is found."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import SMALL, Write, all_of, made_up, partial_of, shards, spoil_chunks

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.directions import angles_to_vectors
from napari_btf.errors import BTFError, CaptureError
from napari_btf.formats import read, recognises
from napari_btf.formats.conversion import convert
from napari_btf.formats.texel_store.layout import Layout
from napari_btf.progress import finish


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
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
    )
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


def test_opening_reads_no_values(store: Path) -> None:
    shutil.rmtree(store / "observations" / "c")
    assert read(store).info()["images"] == 37
