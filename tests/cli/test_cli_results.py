"""Verbs that start from a model, and `demo`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from own_process import program
from PIL import Image

from command_line import btf, ok
from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit, load
from napari_btf.embedding import embed, write_embedding
from napari_btf.formats import read, recognises
from napari_btf.progress import finish
from napari_btf.texels.sampling import all_texels


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
    assert done.stderr.splitlines()[-1] == "fitting classical codecs ..."

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
        colours = opened.convert("RGB").getcolors(opened.width * opened.height)
    # The colours of the heat map from dark to bright, and its bar beside it.
    assert len(colours) > 100
    assert opened.width > 600

    text = ok(program("evaluate", model, capture, "--no-baselines"))
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


def test_embed(model: Path, tmp_path: Path) -> None:
    for method, *options in (("tsne", "--budget", 500), ("pca",)):
        out = tmp_path / f"{method}.csv"
        done = btf("embed", model, "--out", out, "--method", method, *options)
        assert "4,096 texels" in ok(done)
        with out.open() as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["tsne_x", "tsne_y", "image_x", "image_y"]
        assert len({(row["image_x"], row["image_y"]) for row in rows}) == 4096
        points = np.array([[float(row["tsne_x"]), float(row["tsne_y"])] for row in rows])
        assert np.isfinite(points).all()
        assert points.std(axis=0).min() > 0


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


def test_directions_beyond_the_capture_are_said(model: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    done = btf("relight", model, "--light", "20,30", "--view", "60,0", "--out", image)
    ok(done)
    assert "note: views were captured up to 15° from the normal" in done.stderr
    assert image.exists()


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
    # The folder is not taken for a capture.
    assert not recognises(folder)
    means = []
    for path in relit:
        with Image.open(path) as image:
            assert image.size == (64, 64)
            means.append(np.asarray(image).mean())
    assert len(set(means)) == 4
