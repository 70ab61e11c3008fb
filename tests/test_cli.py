"""The command line as people run it: in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit, load
from napari_btf.codec.checkpoint import checkpoint_path
from napari_btf.directions import angles_to_vectors
from napari_btf.embedding import embed, write_embedding
from napari_btf.evaluate import psnr
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.sampling import all_texels, random_texels

Done = subprocess.CompletedProcess[str]


def btf(*arguments: object) -> Done:
    command = [sys.executable, "-m", "napari_btf", *map(str, arguments)]
    # No display: nothing here may need one.
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=env
    )


def ok(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\r" not in done.stderr
    return done.stdout


def refused(done: Done, *words: str) -> None:
    """Exit code 2 and one sentence with all the words, nothing on standard output."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    complaint = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(complaint) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in complaint[0], (word, complaint[0])


@pytest.fixture(scope="module")
def weave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "weave"
    out = ok(btf("sample", folder))
    assert "567 images" in out
    return folder


@pytest.fixture(scope="module")
def frontal(weave: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One view of it, with so few lights that a network is trained for the gaps."""
    folder = tmp_path_factory.mktemp("frontal")
    for path in weave.rglob("*tv000 pv000*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def model(weave: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "weave.safetensors"
    ok(btf("train", weave, "--out", path, "--latents", 16, "--epochs", 100))
    return path


def renamed(weave: Path, folder: Path) -> Path:
    """The frontal view of a capture, with names of another kind, a bad image and an odd one."""
    folder.mkdir()
    for path in sorted(weave.rglob("*tv000 pv000*")):
        _, tl, pl, *_ = path.stem.split(" ")
        shutil.copy(path, folder / f"lamp{tl[2:]}at{pl[2:]}{path.suffix}")
    (folder / f"lamp050at000{path.suffix}").write_bytes(b"")
    Image.new("RGB", (3, 3)).save(folder / "lamp051at000.png")
    return folder


def test_names_of_any_kind_and_bad_images(weave: Path, tmp_path: Path) -> None:
    folder = renamed(weave, tmp_path / "lamps")
    pattern = r"lamp(?P<tl>\d+)at(?P<pl>\d+)"
    refused(btf("info", folder), "no image name carries", "give a pattern")
    refused(btf("info", folder, "--pattern", "lamp(?P<tl>"), "is no regular expression")
    refused(btf("info", folder, "--pattern", pattern), "lamp050at000", "is empty")
    done = btf("info", folder, "--pattern", pattern, "--skip-bad", "--json")
    facts = json.loads(ok(done))
    assert (facts["images"], facts["views"], facts["lights"]) == (81, 1, 81)
    assert "2 images were left out" in done.stderr
    assert "lamp051at000.png" in done.stderr


def test_azimuths_of_another_convention(weave: Path, tmp_path: Path) -> None:
    refused(btf("info", weave, "--azimuth", "north"), "'north' is no azimuth convention")
    store = tmp_path / "turned.zarr"
    done = btf("convert", weave, store, "--azimuth", "cw+90")
    assert "azimuths are taken as cw+90" in done.stderr
    ok(done)
    turned, straight = read(store), read(weave)
    np.testing.assert_allclose(turned.light, straight.light[:, [1, 0, 2]], atol=1e-12)
    np.testing.assert_array_equal(turned.frame(5), straight.frame(5))


def test_help_names_every_verb() -> None:
    out = ok(btf("--help"))
    verbs = "sample info convert train relight normals evaluate embed plot export import demo"
    for verb in verbs.split():
        assert verb in out
        assert "Usage" in ok(btf(verb, "--help"))


def test_info(weave: Path) -> None:
    facts = json.loads(ok(btf("info", weave, "--json")))
    assert facts == {
        "format": "image folder",
        "images": 567,
        "views": 7,
        "lights": 81,
        "height": 64,
        "width": 64,
        "channels": 3,
        "dtype": "uint8",
        "bytes": 6967296,
        "missing_pairs": 0,
        "duplicate_pairs": 0,
    }
    text = ok(btf("info", weave))
    assert "6,967,296" in text
    assert "missing pairs" in text


def test_a_second_sample_is_welcome_other_files_are_not(weave: Path, tmp_path: Path) -> None:
    ok(btf("sample", weave))
    (tmp_path / "notes.txt").write_text("mine")
    refused(btf("sample", tmp_path), str(tmp_path), "other files")
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_convert(weave: Path, tmp_path: Path) -> None:
    store = tmp_path / "weave.zarr"
    done = btf("convert", weave, store, "--json")
    figures = json.loads(ok(done))
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    assert figures.pop("seconds") > 0
    assert figures == {
        "format": "texel store",
        "images": 567,
        "bytes_store": size,
        "bytes_capture": 6967296,
    }
    assert done.stderr.splitlines() == ["writing the store ...", "reading it back ..."]
    assert [path.name for path in tmp_path.iterdir()] == ["weave.zarr"]

    facts = json.loads(ok(btf("info", store, "--json")))
    assert facts == json.loads(ok(btf("info", weave, "--json"))) | {"format": "texel store"}
    assert "567 images" in ok(btf("convert", weave, store, "--overwrite"))

    figures = []
    for capture in (weave, store):
        out = tmp_path / "model.safetensors"
        command = ["train", capture, "--out", out, "--latents", 4, "--epochs", 5, "--pixels", 300]
        figures.append(json.loads(ok(btf(*command, "--json"))))
    assert figures[0]["psnr_train"] == figures[1]["psnr_train"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_stopping_a_conversion_keeps_what_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for i in range(20):
        Image.new("RGB", (2048, 2048), (i, 2, 3)).save(folder / f"tl{i}_pl0_tv0_pv0.png")
    store, partial = tmp_path / "store.zarr", tmp_path / ".store.zarr.partial"
    command = [sys.executable, "-m", "napari_btf", "convert", str(folder), str(store)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        # A block is written when its line is in the journal, after the line that heads it.
        while process.poll() is None and not (
            (journal := partial / "conversion.jsonl").exists()
            and len(journal.read_text().splitlines()) > 1
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert "Traceback" not in stderr
    assert "error: stopped; what was done is kept" in stderr
    assert not store.exists()
    before = {path: path.stat().st_mtime_ns for path in partial.rglob("c/0/*/*/0")}
    assert before

    ok(btf("convert", folder, store))
    assert not partial.exists()
    for path, stamp in before.items():
        assert (store / path.relative_to(partial)).stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(read(store).frame(19), read(folder).frame(19))


def test_train_relight_and_the_photograph_agree(weave: Path, tmp_path: Path) -> None:
    out = tmp_path / "weave.safetensors"
    done = btf("train", weave, "--out", out, "--latents", 24, "--epochs", 50, "--json")
    figures = json.loads(ok(done))
    assert figures["psnr_held_out"] is None
    assert figures["bytes_model"] == out.stat().st_size
    assert figures["bytes_capture"] == 6967296
    assert figures["texels_trained"] == 4096
    assert figures["latents"] == 24
    assert figures["seconds"] > 0

    # The figure is one mean squared error over all images: so is this one.
    capture, errors = read(weave), []
    for i in (0, 100, 333, 566):
        image = tmp_path / f"{i}.png"
        angles = capture_angles(weave, i)
        light, view = f"{angles[0]},{angles[1]}", f"{angles[2]},{angles[3]}"
        ok(btf("relight", out, "--light", light, "--view", view, "--out", image))
        with Image.open(image) as opened:
            relit = np.asarray(opened) / 255
        errors.append(10 ** (-psnr(relit, capture.frame(i) / 255) / 10))
    assert -10 * np.log10(np.mean(errors)) == pytest.approx(figures["psnr_train"], abs=1.5)


def capture_angles(folder: Path, i: int) -> tuple[int, ...]:
    name = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))[i]
    words = Path(name).stem.split()[1:]
    return tuple(int(word[2:]) for word in words)


def test_wallpaper_meets_the_known_figures(wallpaper: Path, tmp_path: Path) -> None:
    out = tmp_path / "wallpaper.safetensors"
    command = ["train", wallpaper, "--out", out, "--latents", 8, "--seconds", 4, "--json"]
    assert json.loads(ok(btf(*command)))["psnr_train"] >= 31.2

    lights = tmp_path / "lights.txt"
    names = sorted(wallpaper.iterdir())
    held = [names[i].stem.split()[1:3] for i in np.random.RandomState(1).permutation(81)[:16]]
    lights.write_text("".join(f"{tl[2:]} {pl[2:]}\n" for tl, pl in held))
    figures = json.loads(ok(btf(*command, "--hold-out-lights", lights)))
    assert figures["psnr_held_out"] >= 29.15
    assert len(load(out).light) == 65


def test_a_quality_out_of_reach_is_said(frontal: Path, tmp_path: Path) -> None:
    command = ["train", frontal, "--out", tmp_path / "m.safetensors", "--epochs", 5, "--json"]
    for target, reached in ((30, True), (150, False)):
        done = btf(*command, "--target-psnr", target)
        figures = json.loads(ok(done))
        assert (figures["psnr_train"] >= target) == reached
        assert (f"note: {target} dB were asked for" in done.stderr) != reached


def test_chosen_texels(weave: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    texels = tmp_path / "texels.csv"
    texels.write_text("x,y\n" + "".join(f"{x},{y}\n" for y in range(10) for x in range(20, 30)))
    common = ["train", weave, "--out", out, "--latents", 4, "--epochs", 5, "--json"]
    for extra, count in (
        (["--texels", texels], 100),
        (["--texels", texels, "--step", 2], 25),
        (["--pixels", 300], 300),
        (["--step", 4], 256),
        (["--step", 4, "--pixels", 77], 77),
    ):
        assert json.loads(ok(btf(*common, *extra)))["texels_trained"] == count


def test_embed(model: Path, tmp_path: Path) -> None:
    for method in ("tsne", "pca"):
        out = tmp_path / f"{method}.csv"
        assert "4,096 texels" in ok(btf("embed", model, "--out", out, "--method", method))
        with out.open() as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["tsne_x", "tsne_y", "image_x", "image_y"]
        assert len({(row["image_x"], row["image_y"]) for row in rows}) == 4096
        points = np.array([[float(row["tsne_x"]), float(row["tsne_y"])] for row in rows])
        assert np.isfinite(points).all()
        assert points.std(axis=0).min() > 0


def test_codecs_without_a_size(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    capture, path = write_capture(views=1, lights=12), tmp_path / "a.safetensors"
    options = "--codec", "abrdf-conv", "--epochs", 1, "--pixels", 50, "--json"
    report = json.loads(ok(btf("train", capture, "--out", path, *options)))
    assert (report["codec"], report["latents"], report["texels_trained"]) == ("abrdf-conv", 8, 50)
    train = "train", capture, "--out", path, "--codec", "abrdf-conv"
    refused(btf(*train, "--bytes-per-texel", 8), "made for a number of latents", "--latents")


def test_evaluate(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    capture = write_capture(views=1, lights=20, height=24, width=32)
    model, lights = tmp_path / "model.safetensors", tmp_path / "lights.txt"
    lights.write_text("27 137\n39 274\n")
    command = ["train", capture, "--out", model, "--latents", 4, "--epochs", 20, "--json"]
    training = json.loads(ok(btf(*command, "--hold-out-lights", lights)))
    image, table = tmp_path / "error.png", tmp_path / "directions.csv"
    options = ["--error-image", image, "--per-direction", table]
    done = btf("evaluate", model, capture, "--json", *options)
    figures = json.loads(ok(done), parse_constant=pytest.fail)
    assert done.stderr.splitlines()[-1] == "fitting baselines ..."

    assert figures["psnr_seen"] == pytest.approx(training["psnr_train"])
    assert figures["psnr_unseen"] == pytest.approx(training["psnr_held_out"])
    assert 0 < figures["ssim_unseen"] < figures["ssim_seen"] < 1
    assert figures["bytes_model"] == model.stat().st_size
    assert figures["bytes_latents"] + figures["bytes_decoder"] == figures["bytes_model"]
    assert figures["bytes_capture"] == 20 * 24 * 32 * 3
    assert (figures["images"], figures["images_seen"]) == (20, 18)
    assert [row["name"] for row in figures["baselines"]][:2] == ["PCA + thin-plate", "PTM"]
    assert all(row["psnr_unseen"] > 10 for row in figures["baselines"])
    unseen = [row for row in figures["directions"] if not row["seen"]]
    assert [(row["theta_l"], row["phi_l"]) for row in unseen] == [(27, 137), (39, 274)]
    assert len(table.read_text().splitlines()) == 21
    with Image.open(image) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    # The colours of the heat map from dark to bright, and its bar beside it.
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    assert pixels.shape[1] > 600

    text = ok(btf("evaluate", model, capture, "--no-baselines"))
    assert f"{figures['psnr_seen']:.2f}" in text
    assert f"{figures['psnr_unseen']:.2f}" in text
    assert "PTM" not in text
    assert "20 images, 2 of them under directions not trained on" in text


def test_evaluate_without_unseen_directions(
    write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    capture, settings = write_capture(height=10), FitSettings(3, NetworkSettings(epochs=5))
    model = finish(fit(read(capture), settings=settings)).save(tmp_path / "model.safetensors")
    figures = json.loads(ok(btf("evaluate", model, capture, "--json")), parse_constant=pytest.fail)
    assert figures["psnr_unseen"] is None
    assert figures["ssim_seen"] is None
    hsh = figures["baselines"][2]
    assert (hsh["bytes"], hsh["psnr_seen"]) == (None, None)
    assert "one view only" in hsh["note"]
    # Mirrored azimuths are other directions.
    turned = btf("evaluate", model, capture, "--azimuth", "cw+40", "--no-baselines", "--json")
    assert json.loads(ok(turned))["images_seen"] < 12


def test_options_reach_the_training(write_capture: Callable[..., Path], tmp_path: Path) -> None:
    folder, out = write_capture(views=3, lights=20), tmp_path / "model.safetensors"
    options = ["--latents", 4, "--pixels", 40, "--seed", 3, "--seconds", 1e-9]
    ok(btf("train", folder, "--out", out, *options))
    settings = FitSettings(4, NetworkSettings(seed=3))
    capture = read(folder)

    def alike(coords: np.ndarray) -> bool:
        # An untrained network: so little time is none.
        expected = finish(fit(capture, coords, settings, stop=lambda: True))
        found = load(out)
        between = angles_to_vectors(33, 71), angles_to_vectors(9, 50)
        return np.allclose(found.decode(*between), expected.decode(*between), atol=1e-3)

    every = all_texels(capture.height, capture.width)
    assert alike(random_texels(every, 40, 3))
    assert not alike(random_texels(every, 40, 0))
    assert not alike(every[:40])


def test_the_seed_of_an_embedding(make_btf: Callable[..., BTF], tmp_path: Path) -> None:
    settings = FitSettings(4, NetworkSettings(epochs=5))
    path = finish(fit(make_btf(), settings=settings)).save(tmp_path / "model.safetensors")
    found = []
    for seed in (0, 5):
        # Which texels are fitted, and which placed by them, is a matter of chance.
        choice = ("--budget", 100, "--seed", seed)
        ok(btf("embed", path, "--out", tmp_path / "points.csv", *choice))
        found.append((tmp_path / "points.csv").read_text())
    expected = finish(embed(load(path), seed=5, budget=100))
    write_embedding(tmp_path / "points.csv", expected, all_texels(12, 16))
    assert found[1] == (tmp_path / "points.csv").read_text()
    assert found[0] != found[1]


def test_an_unexpected_error_is_no_success(write_capture: Callable[..., Path]) -> None:
    code = """
import json, sys
def broken(*arguments):
    raise RuntimeError("broken library")
json.dumps = broken
from napari_btf.cli import main
main(sys.argv[1:])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "info", write_capture(), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: this should not have happened (RuntimeError: broken library)" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_runs_the_whole_line(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    out = ok(btf("demo", "--out", folder))
    assert "napari-btf demo --gui" in out
    summary = json.loads((folder / "summary.json").read_text())
    assert f"PSNR {summary['psnr_train']:.2f} dB" in out
    assert summary["psnr_train"] > 27
    assert summary["compression_ratio"] > 10
    assert load(folder / "model.safetensors").latent_count == 32
    for name in ("contact_sheet.png", "tsne.png"):
        with Image.open(folder / name) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert pixels.shape[0] > 400
        assert pixels.std() > 30
    assert len((folder / "tsne.csv").read_text().splitlines()) == 4097
    relit = sorted(folder.glob("relit_*.png"))
    assert len(relit) == 4
    means = []
    for path in relit:
        with Image.open(path) as image:
            assert image.size == (64, 64)
            means.append(np.asarray(image).mean())
    assert len(set(means)) == 4


def test_directions_beyond_the_capture_are_said(model: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    done = btf("relight", model, "--light", "20,30", "--view", "60,0", "--out", image)
    ok(done)
    assert "note: the captured views reach theta 15" in done.stderr
    assert image.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_a_killed_training_goes_on(weave: Path, tmp_path: Path) -> None:
    """kill -9 loses some seconds, and what comes out is what would have come out."""
    out, undisturbed = tmp_path / "model.safetensors", tmp_path / "undisturbed.safetensors"
    options = ["--codec", "parallax", "--latents", "6", "--epochs", "1", "--seed", "3"]
    ok(btf("train", weave, "--out", undisturbed, *options))
    command = [sys.executable, "-m", "napari_btf", "train", str(weave), "--out", str(out)]
    running = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    notes = checkpoint_path(out)
    deadline = time.monotonic() + 60
    while not notes.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    running.kill()
    running.wait()
    assert notes.exists()
    assert not out.exists()
    refused(btf("train", weave, "--out", out, *options, "--latents", 7, "--resume"), "settings")
    ok(btf("train", weave, "--out", out, *options, "--resume"))
    assert out.read_bytes() == undisturbed.read_bytes()
    assert sorted(tmp_path.iterdir()) == [out, undisturbed]


def test_resuming_without_anything_to_resume(weave: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    done = btf("train", weave, "--out", out, "--latents", 4, "--resume")
    ok(done)
    assert "there is no unfinished training" in done.stderr
    checkpoint_path(out).write_bytes(b"")
    refused(btf("train", weave, "--out", out, "--latents", 4, "--resume"), "damaged")
    done = btf("train", weave, "--out", out, "--latents", 4)
    ok(done)
    assert "--resume would go on from there" in done.stderr
    assert sorted(tmp_path.iterdir()) == [out]


def test_stopping_keeps_the_best_so_far(frontal: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    command = [sys.executable, "-m", "napari_btf", "train", str(frontal), "--out", str(out)]
    with subprocess.Popen(
        [*command, "--bytes-per-texel", "16", "--seconds", "600", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("training"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "keeping the best so far" in stderr
    assert json.loads(stdout)["bytes_model"] == out.stat().st_size


def interrupted(*arguments: object, at: str, again: str = "") -> tuple[int, str, str]:
    """Code, output and complaints of a command that gets Ctrl-C at some line of its progress."""
    command = [sys.executable, "-m", "napari_btf", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(at):
                process.send_signal(signal.SIGINT)
                if not again:
                    break
            if again and line.startswith(again):
                process.send_signal(signal.SIGINT)
                break
        stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    return process.returncode, stdout, "".join(said) + stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
class TestGivingUp:
    def test_a_second_time_ends_a_training(self, frontal: Path, tmp_path: Path) -> None:
        out = tmp_path / "model.safetensors"
        command = ("train", frontal, "--out", out, "--bytes-per-texel", 16, "--seconds", 600)
        code, stdout, stderr = interrupted(*command, at="training", again="stopping")
        assert (code, stdout) == (1, ""), stderr
        assert "error: stopped, nothing was written" in stderr
        assert list(tmp_path.iterdir()) == []

    def test_while_reading_there_is_nothing_to_keep(self, tmp_path: Path) -> None:
        image = tmp_path / "image.png"
        Image.new("RGB", (2048, 2048)).save(image)
        folder = tmp_path / "capture"
        folder.mkdir()
        for i in range(60):
            (folder / f"tl{i}_pl0_tv0_pv0.png").symlink_to(image)
        out = tmp_path / "model.safetensors"
        command = ("train", folder, "--out", out, "--pixels", 100)
        code, stdout, stderr = interrupted(*command, at="reading")
        assert (code, stdout) == (1, ""), stderr
        assert "error: stopped, nothing was written" in stderr
        assert "training" not in stderr
        assert not out.exists()

    def test_an_embedding(self, model: Path, tmp_path: Path) -> None:
        out = tmp_path / "points.csv"
        code, stdout, stderr = interrupted("embed", model, "--out", out, at="placing")
        assert (code, stdout) == (1, ""), stderr
        assert "error: stopped, nothing was written" in stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of Unix")
def test_without_standard_error(
    write_capture: Callable[..., Path], tmp_path: Path, model: Path
) -> None:
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "napari_btf"]

    def run(*arguments: object) -> Done:
        return subprocess.run(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False
        )

    out = tmp_path / "model.safetensors"
    done = run("train", write_capture(), "--out", out, "--latents", 2, "--epochs", 2, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["bytes_model"] == out.stat().st_size
    assert load(out).latent_count == 2
    assert run("info", tmp_path / "nowhere").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device of Linux")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_results_that_cannot_be_printed(
    write_capture: Callable[..., Path], options: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "napari_btf", "info", write_capture(), *options],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: the result cannot be printed (No space left")
    assert len(done.stderr.splitlines()) == 1


class TestWrongInput:
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
            refused(btf(*arguments), str(name), "File name too long", "check the path")
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
        refused(btf("info", tmp_path), "holiday.png", "tl000 pl000", "img_tv0_pv0_tl15_pl0")

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
            ("x;y\n1;2\n", ["line 1", "expected the header x,y", "separate the columns by commas"]),
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
        refused(btf("convert", weave, tmp_path), str(tmp_path), "something else", "another name")
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
        refused(btf("evaluate", model, grey), str(grey), "1 channel, the model")
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

    def test_unknown_options_are_refused_by_typer(self, weave: Path) -> None:
        done = btf("train", weave)
        assert done.returncode == 2
        assert "--out" in done.stderr
        assert done.stdout == ""
