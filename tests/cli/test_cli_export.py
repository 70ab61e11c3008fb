"""The verbs `export` and `import`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_btf
from command_line import Run
from napari_btf.btf import BTF
from napari_btf.embedding import read_embedding
from napari_btf.errors import CoordinatesError
from napari_btf.texels.sampling import all_texels


@pytest.fixture
def model(make_btf: Callable[..., BTF], tmp_path: Path) -> Path:
    btf = make_btf(views=1, lights=12)
    trained = napari_btf.train(btf, codec="abrdf-conv", epochs=1, pixels=50)
    return trained.save(tmp_path / "model.safetensors")


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_csv_there_and_back(run: Run, model: Path, tmp_path: Path) -> None:
    folder, again = tmp_path / "csv", tmp_path / "again.safetensors"
    done = run("export", model, "--to", "csv", "--out", folder, "--tag", "cloth")
    assert done.code == 0, done.err
    names = ["latent_map_cloth.csv", "weights_model_cloth.csv", "tsne_results_cloth.csv"]
    assert [Path(line).name for line in done.out.split()] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert "placing texels on the map ..." in done.err
    rows = table(folder / names[2])
    assert list(rows[0]) == ["tsne_x", "tsne_y", "image_x", "image_y"]
    texels = [(int(row["image_y"]), int(row["image_x"])) for row in rows]
    assert texels == [tuple(texel) for texel in all_texels(12, 16).tolist()]
    points = np.array([[float(row["tsne_x"]), float(row["tsne_y"])] for row in rows])
    assert points.std(axis=0).min() > 0.1

    done = run("import", folder, "--tag", "cloth", "--size", "16,12", "--out", again)
    assert done.out.endswith("16 x 12 texels, 8 latents, light\n"), done.err
    for name, path in (("a.png", model), ("b.png", again)):
        assert run("relight", path, "--light", "20,50", "--out", tmp_path / name).code == 0
    with Image.open(tmp_path / "a.png") as a, Image.open(tmp_path / "b.png") as b:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_embeddings_given_or_left_out(run: Run, model: Path, tmp_path: Path) -> None:
    folder, points = tmp_path / "out", tmp_path / "points.csv"
    points.write_text("tsne_x,tsne_y,image_x,image_y,region\n1.5,-2,3,4,a\n0,0.25,15,11,b\n")
    for to, name in (("csv", "latent_map_0.csv"), ("json", "model_0.json")):
        assert run("export", model, "--to", to, "--out", folder, "--no-embedding").code == 0
        assert (folder / name).exists()
        assert not (folder / "tsne_results_0.csv").exists()
    assert json.loads((folder / "model_0.json").read_text())["embedding"] is None
    for to in ("csv", "json"):
        done = run("export", model, "--to", to, "--out", folder, "--embedding", points)
        assert done.code == 0
        assert "placing" not in done.err
    assert [row["image_x"] for row in table(folder / "tsne_results_0.csv")] == ["3", "15"]
    assert json.loads((folder / "model_0.json").read_text())["embedding"]["points"]["shape"] == [
        2,
        2,
    ]
    for arguments, words in (
        (("--embedding", points, "--no-embedding"), "--embedding cannot be combined with"),
        (("--embedding", tmp_path / "none.csv"), "none.csv: there is no such file"),
        (("--embedding", model), "it cannot be read"),
        (("--tag", "a/b"), "the tag 'a/b' cannot be part of a file name"),
    ):
        done = run("export", model, "--to", "csv", "--out", tmp_path / "new", *arguments)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
    done = run("export", model, "--to", "onnx", "--out", folder, "--embedding", points)
    assert (done.code, "cannot be combined with --to onnx" in done.err) == (2, True)
    done = run("export", model, "--to", "csv", "--out", points, "--no-embedding")
    assert (done.code, "it is a file; name a folder" in done.err) == (2, True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x,y\n1,2\n", "line 1 is 'x,y', expected the header tsne_x,"),
        ("", "line 1 is"),
        ("tsne_x,tsne_y,image_x,image_y\n1,2,3\n", "line 2 is '1,2,3'"),
        ("tsne_x,tsne_y,image_x,image_y\n1,2,3,4\n1,nan,3,4\n", "line 3 is"),
        (
            "tsne_x,tsne_y,image_x,image_y\n1,2,16,4\n",
            "x=16, y=4 lies outside",
        ),
        ("tsne_x,tsne_y,image_x,image_y\n1,2,-1,4\n", "x=-1, y=4 lies outside"),
        (f"tsne_x,tsne_y,image_x,image_y\n1,2,{10**30},4\n", "lies outside"),
    ],
)
def test_embeddings_that_are_none(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(CoordinatesError, match=complaint):
        read_embedding(path, 12, 16)


def test_other_forms(run: Run, model: Path, tmp_path: Path) -> None:
    done = run("export", model, "--to", "onnx", "--out", tmp_path / "onnx", "--tag", "x")
    assert done.code == 0, done.err
    names = ["decoder_x.onnx", "latent_map_x.npy"]
    assert [Path(line).name for line in done.out.split()] == names
    done = run("export", model, "--to", "json", "--out", tmp_path / "json", "--no-embedding")
    assert [Path(line).name for line in done.out.split()] == ["model_0.json"]


def test_imports_that_cannot_be(
    run: Run, model: Path, write_capture: Callable[..., Path], tmp_path: Path
) -> None:
    folder, out = tmp_path / "csv", tmp_path / "out.safetensors"
    assert run("export", model, "--to", "csv", "--out", folder, "--no-embedding").code == 0
    weights = folder / "weights_model_0.csv"
    size = ("--size", "16,12")
    capture = write_capture(views=1, lights=12)
    done = run("import", folder, "--capture", capture, "--out", out)
    assert done.code == 0, done.err
    assert len(napari_btf.load(out).light) == 12
    out.unlink()
    for arguments, words in (
        ((tmp_path / "nowhere", *size), "latent_map_0.csv: there is no such file"),
        ((model, *size), "check folder and tag"),
        ((folder, "--tag", "b", *size), "latent_map_b.csv: there is no such file"),
        ((folder,), "the files do not say how wide the surface is; give its size"),
        ((folder, "--size", "16"), "--size is '16'; give W,H"),
        ((folder, "--size", "16,16"), "192 texels, not 16 x 16"),
        ((folder, "--size", "-16,-12"), "--size is '-16,-12'; give W,H"),
        ((folder, "--capture", model), "model.safetensors"),
    ):
        done = run("import", *arguments, "--out", out)
        assert (done.code, done.out) == (2, ""), arguments
        assert done.err.startswith("error: ")
        assert len(done.err.splitlines()) == 1
        assert words in done.err
    done = run("import", folder, *size, "--out", weights)
    assert (done.code, "belongs to the input" in done.err) == (2, True)
    text = weights.read_text()
    weights.write_text(text.replace("fc1,weight,0,3,", "fc1,weight,0,3,x"))
    done = run("import", folder, *size, "--out", out)
    assert (done.code, f"{weights}: line 5 is" in done.err) == (2, True)
    weights.unlink()
    done = run("import", folder, *size, "--out", out)
    assert (done.code, done.err) == (
        2,
        f"error: {weights}: there is no such file beside the latents, and only models of the "
        "codecs abrdf-conv and mlp have one; use the .safetensors file of the model, or train with "
        "--codec abrdf-conv.\n",
    )
    assert not out.exists()
