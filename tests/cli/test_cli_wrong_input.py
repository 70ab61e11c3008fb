"""What the command line refuses: exit code 2 and one sentence."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from own_process import program
from PIL import Image

from command_line import Run, btf, ok, refused


class TestWrongInput:
    def test_empty_paths(self, write_capture: Callable[..., Path], tmp_path: Path) -> None:
        """An unset variable of a script must not stand for the current folder."""
        capture, out = write_capture(), tmp_path / "out"
        for arguments in (
            ["info", ""],
            ["info", " "],
            ["train", "", "--out", out],
            ["train", capture, "", "--out-dir", out],
            ["train", capture, "--out", ""],
            ["train", capture, "--out-dir", ""],
            ["train", capture, "--out", out, "--texels", ""],
            ["train", capture, "--out", out, "--hold-out-lights", ""],
            ["relight", capture, "--light", "0,0", "--out", ""],
            ["convert", capture, ""],
            ["embed", "", "--out", out],
            ["export", "", "--to", "csv"],
            ["evaluate", capture, ""],
            ["sample", ""],
            ["demo", "--out", ""],
        ):
            refused(btf(*arguments), "a path is empty", "name a file or a folder")
        assert list(tmp_path.iterdir()) == [capture]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows words it otherwise")
    def test_names_no_file_can_have(
        self, write_capture: Callable[..., Path], tmp_path: Path
    ) -> None:
        capture, name = write_capture(), tmp_path / ("x" * 300)
        for arguments in (
            ["info", name],
            ["train", name, "--out", tmp_path / "m"],
            ["train", capture, "--out", name],
            ["train", capture, "--out", tmp_path / "m", "--texels", name],
            ["relight", capture, "--light", "0,0", "--out", name],
            ["embed", name, "--out", tmp_path / "m"],
            ["convert", capture, name],
        ):
            refused(btf(*arguments), str(name)[:60], "File name too long", "check the path")
        assert list(tmp_path.iterdir()) == [capture]

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="who may read everything"
    )
    def test_places_that_must_not_be_read(
        self, write_capture: Callable[..., Path], tmp_path: Path
    ) -> None:
        capture, locked = write_capture(), tmp_path / "locked"
        locked.mkdir(mode=0)
        for arguments in (
            ["info", locked / "capture"],
            ["train", capture, "--out", locked / "model"],
            ["train", capture, "--out", tmp_path / "m", "--texels", locked / "texels.csv"],
            ["relight", locked / "model", "--light", "0,0", "--out", tmp_path / "x.png"],
        ):
            refused(btf(*arguments), str(locked), "Permission denied", "allowed to read")

    @pytest.mark.skipif(sys.platform == "win32", reason="links of Unix")
    def test_links_in_a_circle(self, tmp_path: Path) -> None:
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        refused(btf("info", loop), str(loop), "cannot be reached", "check the path")

    def test_no_such_folder(self, tmp_path: Path) -> None:
        refused(btf("info", tmp_path / "nowhere"), "nowhere", "no such folder", "check the path")
        refused(btf("info", tmp_path / "nowhere", "--json"), "nowhere")

    def test_empty_folder(self, tmp_path: Path) -> None:
        refused(btf("info", tmp_path), str(tmp_path), "no image in it", "expected images named")

    def test_no_angles_in_any_name(self, tmp_path: Path) -> None:
        Image.new("RGB", (4, 4)).save(tmp_path / "holiday.png")
        refused(btf("info", tmp_path), "holiday.png", "tv0_pv0_tl15_pl0", "img_tv0_pv0_tl15_pl0")

    def test_different_sizes(self, write_capture: Callable[..., Path]) -> None:
        folder = write_capture()
        name = sorted(folder.iterdir())[5]
        Image.new("RGB", (3, 3)).save(name)
        refused(btf("info", folder), name.name, "3 x 3", "16 x 12")

    def test_a_truncated_jpeg(self, write_capture: Callable[..., Path], tmp_path: Path) -> None:
        folder = write_capture(extension=".jpg", height=64, width=64)
        name = sorted(folder.iterdir())[5]
        name.write_bytes(name.read_bytes()[:-400])
        out = tmp_path / "model.safetensors"
        done = btf("train", folder, "--out", out)
        refused(done, name.name, "truncated", "copy it again")
        assert not out.exists()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("1,2\n", ["line 1", "header x,y"]),
            ("x,y\n1,2.5\n", ["line 2", "integers"]),
            ("a;b\n1;2\n", ["line 1", "expected the header x,y", "add the header line"]),
            (f"x,y\n1,2\n{'1' * 140000},2\n", ["line 3 cannot be read", "correct the line"]),
            (f"x,y\n{'1' * 5000},2\n", ["line 2", "two integers"]),
            ("x,y\n1,2\n64,0\n", ["line 3", "outside the 64 x 64 image"]),
        ],
    )
    def test_texel_tables(self, weave: Path, tmp_path: Path, text: str, words: list[str]) -> None:
        table = tmp_path / "texels.csv"
        table.write_text(text)
        out = tmp_path / "model.safetensors"
        done = btf("train", weave, "--out", out, "--texels", table)
        refused(done, str(table), *words)
        assert not out.exists()

    def test_a_model_that_is_not_one(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        path.write_text("hello")
        for verb in (["relight", path, "--light", "0,0"], ["embed", path]):
            refused(btf(*verb, "--out", tmp_path / "x.png"), str(path), "not a model")

    def test_stores(self, weave: Path, tmp_path: Path) -> None:
        store = tmp_path / "weave.zarr"
        (tmp_path / "file").write_text("mine")
        refused(btf("convert", weave, tmp_path), str(tmp_path), "not a texel store", "another name")
        below = tmp_path / "file" / "x.zarr"
        refused(btf("convert", weave, below), str(below), "cannot be written", "another place")
        refused(btf("convert", tmp_path / "nowhere", store), "nowhere", "no such folder")
        ok(btf("convert", weave, store))
        refused(btf("convert", weave, store), str(store), "already", "--overwrite")
        refused(btf("info", store / "light"), "light", "another kind", "napari-btf convert")
        damaged = store / "observations" / "c" / "0" / "0" / "0" / "0"
        damaged.write_bytes(damaged.read_bytes()[:-1])
        out = tmp_path / "model.safetensors"
        refused(btf("train", store, "--out", out), str(damaged), "damaged", "convert its capture")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "weave.zarr"]

    def test_evaluation(
        self, model: Path, write_capture: Callable[..., Path], tmp_path: Path
    ) -> None:
        capture = write_capture()
        words = ("16 x 12 with 3 channels", "64 x 64 with 3 channels", "trained on")
        refused(btf("evaluate", model, capture), str(capture), *words)
        grey = write_capture(name="grey", height=64, width=64, channels=1)
        refused(btf("evaluate", model, grey), str(grey), "1 channel", "those of the model")
        refused(btf("evaluate", model, tmp_path / "nowhere"), "nowhere", "no such folder")
        error = ("evaluate", model, capture, "--error-image")
        refused(btf(*error, tmp_path / "error.jpg"), "error.jpg", ".png")
        refused(btf(*error, sorted(capture.iterdir())[0]), "input")
        both = tmp_path / "x.png"
        refused(btf(*error, both, "--per-direction", both), str(both), "named twice")
        refused(btf("evaluate", model, capture, "--per-direction", tmp_path), "is a folder")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["capture", "grey"]

    def test_settings(self, weave: Path, model: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        refused(btf("train", weave, "--out", out, "--latents", 9999), "9999 latents")
        refused(btf("train", weave, "--out", out, "--texels", "a", "--pixels", 5), "exclude")
        refused(btf("train", weave, "--out", out, "--device", "abacus"), "abacus", "use auto")
        for device in ("meta", "hpu"):
            refused(btf("train", weave, "--out", out, "--device", device), device, "use auto")
        refused(btf("train", weave, "--out", out, "--step", 0), "step is 0")
        refused(btf("train", weave, "--out", out, "--step", 10**25), "1 texels")
        refused(btf("train", weave, "--out", tmp_path), str(tmp_path), "is a folder")
        refused(btf("embed", model, "--out", out, "--seed", -1), "the seed is -1", "4294967295")
        refused(btf("train", weave, "--out", out, "--seed", 2**32), "the seed is", "4294967295")
        refused(btf("relight", model, "--light", "20", "--out", "x.png"), "--light", "THETA,PHI")
        refused(btf("relight", model, "--light", "95,0", "--out", "x.png"), "above the surface")
        refused(btf("relight", model, "--light", "9,0", "--out", "x.doc"), "x.doc", ".png")
        assert list(tmp_path.iterdir()) == []

    def test_a_place_that_cannot_be_is_refused_before_the_work(
        self, write_capture: Callable[..., Path], model: Path, tmp_path: Path
    ) -> None:
        capture, file = write_capture(), tmp_path / "file"
        file.write_text("mine")
        for command in (["train", capture], ["embed", model]):
            for out, words in ((file / "deep" / "out", "cannot be written to"), (tmp_path, "is a")):
                done = btf(*command, "--out", out)
                refused(done, str(out), words)
                assert len(done.stderr.splitlines()) == 1, "it has begun to work"
        assert file.read_text() == "mine"

    def test_what_is_read_is_never_written_over(
        self, model: Path, write_capture: Callable[..., Path], tmp_path: Path
    ) -> None:
        folder = write_capture()
        image = sorted(folder.iterdir())[2]
        archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", folder))
        table = tmp_path / "texels.csv"
        table.write_text("x,y\n1,2\n3,4\n")
        own = Path(shutil.copy(model, tmp_path / "own.safetensors"))
        inputs = (image, archive, table, own)
        before = [path.read_bytes() for path in inputs]
        refused(btf("train", folder, "--out", image), str(image), "input", "another place")
        refused(btf("train", archive, "--out", archive), str(archive), "input")
        refused(btf("train", folder, "--texels", table, "--out", table), str(table), "input")
        refused(btf("embed", own, "--out", own, "--method", "pca"), str(own), "input")
        refused(btf("relight", own, "--light", "0,0", "--out", own), str(own), "input")
        refused(btf("convert", folder, folder, "--overwrite"), str(folder), "input")
        assert [path.read_bytes() for path in inputs] == before

    def test_a_wrong_command_in_a_process_of_its_own(self, weave: Path) -> None:
        refused(program("train", weave), "--out", "--out-dir")
        refused(btf("train", weave, "--epoks", 3), "--epoks", "train --help")


WRONG_COMMANDS = [
    (["export", "FILE", "--to", "xml", "--out", "x"], ["'--to'", "'xml' is not one of 'csv'"]),
    (["embed", "FILE", "--out", "x.csv", "--method", "foo"], ["'--method'", "'foo'", "'tsne'"]),
    (["export", "FILE", "--out", "x"], ["issing option '--to'"]),
    (["train"], ["issing argument 'CAPTURE'"]),
    (["train", "FILE", "--epoks", "3"], ["o such option", "--epoks", "--epochs"]),
    (["train", "FILE", "--pixels", "many"], ["'--pixels'", "integer"]),
    (["relight", "FILE", "--out", "x", "--exposure", "a"], ["'--exposure'", "number"]),
    (["embed", "FILE", "--out"], ["--out", "requires an argument"]),
    (["convert", "FILE", "x", "y"], ["unexpected extra argument"]),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_COMMANDS)
def test_a_wrong_command_gets_one_sentence(
    run: Run, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    command = [str(file) if argument == "FILE" else argument for argument in arguments]
    done = run(*command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.endswith(f" {arguments[0]} --help.\n")
    assert len(done.err.splitlines()) == 1
    for word in words:
        assert word in done.err
    # The same for a program, wherever the option stands.
    verb, *others = command
    asked = run(verb, "--log-json", *others)
    assert (asked.code, asked.out) == (2, "")
    assert json.loads(asked.err) == {"error": done.err.removeprefix("error: ").strip()}
    assert run(*command).err == done.err


def test_a_verb_that_is_none(run: Run) -> None:
    done = run("relit")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: no such command 'relit'")
    assert "did you mean 'relight'" in done.err.lower()
    assert done.err.endswith(" --help.\n")
    assert len(done.err.splitlines()) == 1
    assert run("--version=3").err.endswith("; see napari-btf --help.\n")
    alone = run()
    assert (alone.code, alone.err) == (2, "")
    assert "Usage" in alone.out
    assert run("--version").code == 0
    assert run("train", "--help").code == 0
