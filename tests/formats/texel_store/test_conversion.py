"""Conversions into texel stores: interrupted, misplaced, bounded."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stores import SMALL, Write, all_of, content, made_up, partial_of, shards

from napari_btf.errors import CaptureError, StoreError
from napari_btf.formats import read
from napari_btf.formats.conversion import convert
from napari_btf.formats.texel_store.layout import BLOCK_BYTES, SHARD_BYTES, choose_layout
from napari_btf.progress import Progress, finish


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
        with pytest.raises(StoreError, match=r"b\.zarr: another conversion is writing it"):
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

    def test_a_codec_that_no_conversion_writes(self, tmp_path: Path) -> None:
        target = tmp_path / "target.zarr"
        self.interrupted(target, 20)
        path = partial_of(target) / "observations" / "zarr.json"
        path.write_text(path.read_text().replace('"blosc"', '"numcodecs.pickle"'))
        with pytest.raises(StoreError, match=r"partial: .*damaged; add --restart"):
            finish(convert(made_up()[0], target, layout=SMALL))

    @pytest.mark.parametrize("line", ["[Infinity, 1, 1, 1]", "[" * 100_000, "[[]]", "{}"])
    def test_lines_of_a_journal_that_are_none(self, store: Path, tmp_path: Path, line: str) -> None:
        target = tmp_path / "target.zarr"
        self.interrupted(target, 20)
        journal = partial_of(target) / "conversion.jsonl"
        first = journal.read_text().splitlines()[0]
        journal.write_text(f"{first}\n{line}\n")
        (partial_of(target) / "observations" / "c" / "²").mkdir()
        finish(convert(made_up()[0], target, layout=SMALL))
        assert content(target) == content(store)

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
            with pytest.raises(StoreError, match=r"0/0/0/0: its content differs.*--restart"):
                finish(convert(made_up()[0], target, layout=SMALL))
            assert not target.exists()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
    @pytest.mark.parametrize("blocks", [1, 3])
    def test_killed_in_the_middle(self, tmp_path: Path, blocks: int) -> None:
        code = textwrap.dedent(
            """
            import sys, time
            sys.path.insert(0, sys.argv[2])
            from stores import SMALL, made_up
            from napari_btf.formats.conversion import convert
            for progress in convert(made_up()[0], sys.argv[1], layout=SMALL):
                print(progress.phase, progress.step, flush=True)
                time.sleep(0.02)
            """
        )
        target = tmp_path / "killed.zarr"
        command = [sys.executable, "-c", code, str(target), str(Path(__file__).parents[1])]
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
        with pytest.raises(StoreError, match=r"store\.zarr: this texel store already.*--overwrite"):
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
            with pytest.raises(StoreError, match=rf"{name}\.zarr: it exists and is not"):
                finish(convert(made_up()[0], tmp_path / f"{name}.zarr", overwrite=overwrite))
        assert len(list(tmp_path.iterdir())) == 4

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        btf, source = made_up()
        with pytest.raises(
            StoreError, match=r"file/store\.zarr: .*file cannot be written to .*another"
        ):
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
        with pytest.raises(CaptureError, match=r"00004 tl.*incomplete"):
            finish(convert(read(folder), target))
        assert not target.exists()
        name.write_bytes(whole)
        finish(convert(read(folder), target))
        np.testing.assert_array_equal(all_of(read(target)), all_of(read(folder)))


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
            shape, ndim, dtype = (250, 512, 512, 3), 4, np.dtype("u1")
            def __getitem__(self, key):
                images = np.arange(250)[key[0]] % 251
                return np.full((*images.shape, 512, 512, 3), images[..., None, None, None], "u1")

        frames = da.from_array(
            Source(), chunks=(1, 512, 512, 3), asarray=False, meta=np.empty((0,) * 4, "u1")
        )
        vectors = angles_to_vectors(np.linspace(0, 80, 250), np.linspace(0, 999, 250))
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        before = peak()
        finish(convert(BTF(frames, vectors, vectors), sys.argv[1]))
        btf = read(sys.argv[1])
        sums = [int(frame[0, 0, 0]) for frame in btf.iter_frames()]
        assert sums == [i % 251 for i in range(250)]
        assert btf.texels([[y, x] for y in range(9) for x in range(9)]).shape == (81, 250, 3)
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
    # On a Mac ru_maxrss counts bytes.
    assert used < 0.75 * mebibytes * (1024 if sys.platform == "darwin" else 1)
