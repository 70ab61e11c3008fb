"""The calls of scripts and notebooks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel

import napari_btf
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.directions import angle_between
from napari_btf.embedding import embed
from napari_btf.errors import CoordinatesError, UsageError
from napari_btf.evaluate import evaluate
from napari_btf.progress import Progress, finish
from napari_btf.texels.coordinates import write_coordinates
from napari_btf.training import train

Make = Callable[..., BTF]


def test_a_model_from_start_to_end(make_btf: Make, tmp_path: Path) -> None:
    btf = make_btf(views=1, lights=20)
    model = napari_btf.train(btf, latents=6, hold_out_lights=5, pixels=100, seed=3)
    assert model.report is not None
    assert model.report["texels_trained"] == 100
    assert model.report["latents"] == 6
    figures = napari_btf.run(evaluate(model, btf, baselines=False)).summary()
    assert model.report["psnr_train"] == pytest.approx(figures["psnr_seen"])
    assert model.report["psnr_held_out"] == pytest.approx(figures["psnr_unseen"])
    path = model.save(tmp_path / "model.safetensors")
    assert model.report["bytes_model"] == path.stat().st_size
    again = napari_btf.load(path)
    assert again.report is None
    image = again.relight((40, 20))
    assert (image.shape, image.dtype) == ((12, 16, 3), np.uint8)
    np.testing.assert_array_equal(image, model.relight(light=(40, 20), view=(0, 0)))
    np.testing.assert_array_equal(image, napari_btf.relight(model, (40, 20)))
    points = napari_btf.embed(model, "pca", seed=2)
    np.testing.assert_array_equal(points, finish(embed(model, "pca", seed=2)))
    store = napari_btf.convert(btf, tmp_path / "store.zarr")
    np.testing.assert_array_equal(napari_btf.read(store).frame(3), btf.frame(3))
    with pytest.raises(UsageError, match="light 95,0 is not a direction above"):
        model.relight((95, 0))


def test_the_words_of_the_command_line_reach_the_codec(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    model = napari_btf.train(btf, codec="mlp", latents=3, epochs=2, seed=4, device="cpu", memory=1)
    settings = FitSettings(3, NetworkSettings(2, None, "cpu", 4, 2**30), codec="mlp")
    expected, report = finish(train(btf, settings=settings))
    np.testing.assert_array_equal(model.latent_map, expected.latent_map)
    assert model.report is not None
    assert model.report["psnr_train"] == report.psnr_train
    one_view = make_btf(views=1, lights=12, height=96, width=96)
    sizes = [napari_btf.train(one_view, bytes_per_texel=b).file_size for b in (0.01, 300)]
    assert sizes[0] < sizes[1]
    good = napari_btf.train(one_view, target_psnr=33)
    assert good.report is not None
    assert good.report["psnr_train"] >= 33
    for options, complaint in (
        ({"pixels": 5, "texels": np.ones((12, 16))}, "texels and pixels exclude"),
        ({"seconds": 1, "epochs": 1}, "seconds and epochs exclude"),
        ({"latents": 2, "bytes_per_texel": 2}, "exclude"),
        ({"memory": 0.1}, "0.1 GiB of memory are not enough"),
        ({"memory": float("nan")}, "the memory is nan GiB; give a number"),
        ({"memory": float("inf")}, "the memory is inf GiB; give a number"),
        ({"seed": -1}, "the seed is -1"),
        ({"codec": "zip"}, "no codec 'zip'"),
    ):
        with pytest.raises(UsageError, match=complaint):
            napari_btf.train(btf, **options)


def test_texels_of_any_kind(make_btf: Make, tmp_path: Path) -> None:
    btf = make_btf(lights=20)
    mask = np.zeros((12, 16), bool)
    mask[2:6, 3:9] = True
    coords = np.argwhere(mask)
    write_coordinates(tmp_path / "texels.csv", coords)
    labels = mask * np.uint8(7)
    kinds = (
        mask,
        labels,
        coords,
        coords.tolist(),
        tmp_path / "texels.csv",
    )
    maps = []
    for texels in kinds:
        model = napari_btf.train(btf, latents=4, texels=texels)
        assert model.report is not None
        assert model.report["texels_trained"] == 24
        maps.append(model.latent_map)
    for other in maps[1:]:
        np.testing.assert_array_equal(other, maps[0])
    thin = napari_btf.train(btf, latents=4, texels=mask, step=2).report
    assert thin is not None
    assert thin["texels_trained"] == 6
    for wrong, complaint in (
        ([[12, 0]], "y=12, x=0 lies outside the 16 x 12 image"),
        ([[-1, 0]], "y=-1, x=0 lies outside"),
        (np.zeros((12, 16)), "no texel is chosen"),
        (np.ones((5, 5)), r"an array of shape \(5, 5\)"),
        ([[0.5, 1.0]], "type float64"),
        (tmp_path / "none.csv", "there is no such file"),
    ):
        with pytest.raises(CoordinatesError, match=complaint):
            napari_btf.train(btf, latents=2, texels=wrong)


def test_lights_held_out_in_any_way(make_btf: Make, tmp_path: Path) -> None:
    btf = make_btf(lights=20)
    (tmp_path / "lights.txt").write_text("27 137\n39 274\n")
    mask = np.isin(np.arange(60) % 20, (1, 2))
    models = [
        napari_btf.train(btf, latents=4, hold_out_lights=lights)
        for lights in (str(tmp_path / "lights.txt"), [(27, 137), (39, 274)], mask)
    ]
    for model in models:
        angles = angle_between(model.light[:, np.newaxis], btf.light[mask])
        assert len(model.light) == 54
        assert angles.min() > 1
    for wrong, complaint in (
        ([(27, 138)], "is not in the capture"),
        ([(float("nan"), 0)], "lights to hold out are an array"),
        ([27, 137], r"an array of shape \(2,\)"),
        (99, "one of 99 lights cannot be held out"),
    ):
        with pytest.raises(UsageError, match=complaint):
            napari_btf.train(btf, latents=4, hold_out_lights=wrong)


def test_an_interrupt_keeps_the_best_so_far(
    make_btf: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Ctrl-C and the button of a notebook send, once the training has begun."""
    btf = make_btf(lights=20)
    seen: list[str] = []

    def watched(*arguments: object, **options: object):  # type: ignore[no-untyped-def]
        job = train(*arguments, **options)  # type: ignore[arg-type]
        while True:
            try:
                progress: Progress = next(job)
            except StopIteration as stop:
                return stop.value
            if progress.phase == "train" and "train" not in seen:
                yield progress
                signal.raise_signal(signal.SIGINT)
            seen.append(progress.phase)
            yield progress

    monkeypatch.setattr("napari_btf.training.train", watched)
    model = napari_btf.train(btf, codec="parallax", latents=6, seconds=3600)
    assert model.relight((20, 30)).shape == (12, 16, 3)
    assert "keeping the best so far" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_while_reading_ends_it(make_btf: Make) -> None:
    btf = make_btf(lights=20)

    class Frames:
        shape, dtype = btf.frames.shape, btf.frames.dtype

        def __getitem__(self, i: int) -> np.ndarray:
            if i == 5:
                signal.raise_signal(signal.SIGINT)
            return np.asarray(btf.frames[i])

    with pytest.raises(KeyboardInterrupt):
        napari_btf.train(BTF(Frames(), btf.light, btf.view), latents=4)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread(make_btf: Make) -> None:
    models: list[napari_btf.CompressedBTF] = []
    thread = threading.Thread(
        target=lambda: models.append(napari_btf.train(make_btf(lights=20), latents=4))
    )
    thread.start()
    thread.join()
    assert models[0].latent_count == 4


SCRIPT = """
import napari_btf
from napari_btf.samples import open_sample
btf = open_sample().select(range(12))
napari_btf.train(btf, latents=4, progress={progress})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
@pytest.mark.parametrize("progress", [True, False])
def test_bars_on_a_terminal_alone(progress: bool) -> None:
    command = [sys.executable, "-c", SCRIPT.format(progress=progress)]
    if progress:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", "")
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(ours, 4096):
                drawn += part
        # How Linux says that the other end is closed.
        except OSError:
            pass
    os.close(ours)
    assert process.returncode == 0
    assert ("measuring quality" in drawn.decode()) == progress


class Notebook:
    """A Jupyter kernel, and what its cells show."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def run(self, code: str, interrupt_at: str = "") -> str:
        """Text and results of a cell, interrupted once it shows some text."""
        cell, shown = self.client.execute(code), ""
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if content.get("execution_state") == "idle":
                return shown
            shown += content.get("text", "") + content.get("data", {}).get("text/plain", "")
            shown += content.get("evalue", "")
            if interrupt_at and interrupt_at in shown:
                self.manager.interrupt_kernel()
                interrupt_at = ""

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_in_a_notebook() -> None:
    """Progress is seen in a cell, and *Interrupt* keeps the best so far."""
    notebook = Notebook()
    try:
        start = "import napari_btf; from napari_btf.samples import open_sample\n"
        assert notebook.run(start + "btf = open_sample().select(range(12))") == ""
        shown = notebook.run("model = napari_btf.train(btf, latents=4); model.latent_count")
        assert shown.endswith("4")
        assert "measuring quality" in shown
        assert notebook.run("napari_btf.train(btf, latents=3, progress=False).latent_count") == "3"
        long = "model = napari_btf.train(btf, codec='parallax', latents=8, seconds=3600)\n"
        shown = notebook.run(long + "model.relight((9, 9))[0, 0]", interrupt_at="training")
        assert "keeping the best so far" in shown
        assert "array([" in shown
    finally:
        notebook.close()
