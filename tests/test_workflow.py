"""What the earlier programs did, from coordinates to pictures, on a real capture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

import napari_btf
from command_line import Run
from napari_btf.directions import angles_to_vectors, vectors_to_disk

SIDE = 40


def crop(wallpaper: Path, folder: Path) -> None:
    """A corner of it, so that all of this takes seconds."""
    folder.mkdir()
    for path in wallpaper.iterdir():
        with Image.open(path) as image:
            image.crop((100, 100, 100 + SIDE, 100 + SIDE)).save(folder / f"{path.stem}.png")


def columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    header, *lines = rows
    assert all(len(line) == len(header) for line in lines)
    return {name: [line[i] for line in lines] for i, name in enumerate(header)}


def layer(table: dict[str, list[str]], name: str, kind: str) -> NDArray[np.float64]:
    """Weights (out, in) or biases (1, out) of a layer."""
    values = {
        (int(row), int(column)): float(value)
        for layer, type_, row, column, value in zip(*table.values(), strict=True)
        if (layer, type_) == (name, kind)
    }
    shape = np.max(list(values), axis=0) + 1
    assert len(values) == shape.prod()
    found = np.zeros(shape)
    for place, value in values.items():
        found[place] = value
    return found


def test_coordinates_training_exports_and_images(
    wallpaper: Path,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    crop(wallpaper, tmp_path / "wallpaper")
    chosen = [(x, y) for y in range(0, SIDE, 2) for x in range(0, SIDE, 2)]
    Path("texels.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in chosen))

    def ok(*arguments: object) -> str:
        done = run(*arguments)
        assert done.code == 0, (arguments, done.err)
        return done.out

    options = ("--texels", "texels.csv", "--codec", "abrdf-conv", "--epochs", 10)
    assert "PSNR" in ok("train", "wallpaper", "--out", "0.safetensors", *options)
    ok("embed", "0.safetensors", "--out", "tsne.csv", "--budget", 400)
    export = ("export", "0.safetensors", "--out", "results", "--tag", "a")
    ok(*export, "--to", "csv", "--embedding", "tsne.csv")
    names = {path.name for path in Path("results").iterdir()}
    assert names == {"latent_map_a.csv", "weights_model_a.csv", "tsne_results_a.csv"}
    ok("plot", "results/tsne_results_a.csv", "--color", "center", "--out", "plot.png")
    with Image.open("plot.png") as opened:
        drawn = np.asarray(opened.convert("RGB")).reshape(-1, 3).astype(int)
    # Middle, half way and corner of the surface, in the colours of the bar.
    for share in (0.05, 0.5, 0.95):
        wanted = np.rint(255 * np.array(colormaps["inferno"](share)[:3]))
        assert (np.abs(drawn - wanted).max(axis=1) < 12).sum() > 20
    light = ("--light", "40,70")
    ok("relight", "0.safetensors", *light, "--out", "relit.png")

    # The files, column by column.
    latents = columns(Path("results/latent_map_a.csv"))
    assert list(latents) == [str(i) for i in range(8)]
    flat = np.array(list(latents.values()), dtype=np.float64).T
    assert flat.shape == (SIDE * SIDE, 8)
    weights = columns(Path("results/weights_model_a.csv"))
    assert list(weights) == ["layer", "type", "row_index", "col_index", "value"]
    names_of_layers = list(dict.fromkeys(weights["layer"]))
    assert names_of_layers == ["fc1", "fc2", "fc3", "fc4", "output_rgb"]
    sizes = [layer(weights, name, "weight").shape for name in names_of_layers]
    assert sizes == [(106, 10), (106, 106), (106, 106), (106, 106), (3, 106)]
    tsne = columns(Path("results/tsne_results_a.csv"))
    assert list(tsne) == ["tsne_x", "tsne_y", "image_x", "image_y"]
    assert [int(x) for x in tsne["image_x"]] == list(range(SIDE)) * SIDE
    assert [int(y) for y in tsne["image_y"]] == [y for y in range(SIDE) for _ in range(SIDE)]
    points = np.array([tsne["tsne_x"], tsne["tsne_y"]], dtype=np.float64)
    assert np.isfinite(points).all()
    assert points.std(axis=1).min() > 1

    # They alone give the image.
    disk = vectors_to_disk(angles_to_vectors(40, 70))
    h = np.concatenate([flat, np.tile(disk, (len(flat), 1))], axis=1)
    for name in names_of_layers:
        h = h @ layer(weights, name, "weight").T + layer(weights, name, "bias")
        h = h if name == "output_rgb" else np.maximum(h, 0)
    by_hand = np.rint(np.clip(h, 0, 1) * 255).reshape(SIDE, SIDE, 3)
    with Image.open("relit.png") as opened:
        relit = np.asarray(opened)
    assert np.abs(relit.astype(int) - by_hand).max() <= 1

    # So does the model made of them, and what was learned is the wallpaper.
    ok("import", "results", "--tag", "a", "--size", f"{SIDE},{SIDE}", "--out", "b.safetensors")
    ok("relight", "b.safetensors", *light, "--out", "again.png")
    with Image.open("again.png") as opened:
        np.testing.assert_array_equal(np.asarray(opened), relit)
    btf = napari_btf.read("wallpaper")
    nearest = btf.frame(btf.nearest(angles_to_vectors(40, 70), [0, 0, 1]))
    assert np.corrcoef(relit.ravel(), nearest.ravel())[0, 1] > 0.8
