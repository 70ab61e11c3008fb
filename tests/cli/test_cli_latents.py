"""The verbs `embed` and `plot` at work: which texels, how many are fitted, and in what colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import Run
from napari_btf.codec import CompressedBTF, load
from napari_btf.embedding import embed, read_embedding
from napari_btf.embedding.colours import label_colours, mean_colours, named_regions
from napari_btf.progress import finish
from napari_btf.segmentation import segment
from napari_btf.texels.coordinates import write_coordinates
from napari_btf.texels.sampling import all_texels
from small_models import SmallModel


@pytest.fixture
def model(small_model: SmallModel, tmp_path: Path) -> Path:
    return small_model("neural-basis").save(tmp_path / "model.safetensors")


@pytest.fixture
def table(run: Run, model: Path, tmp_path: Path) -> Path:
    """The left half is ink, a column cloth; the others are not placed."""
    yx = all_texels(12, 16)
    yx = yx[yx[:, 1] < 9]
    texels, out = tmp_path / "texels.csv", tmp_path / "pca.csv"
    write_coordinates(texels, yx, ["ink" if x < 8 else "cloth" for _, x in yx])
    done = run("embed", model, "--out", out, "--method", "pca", "--texels", texels)
    assert done.code == 0
    return out


def test_fewer_texels_may_be_fitted_than_placed(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "tsne.csv"
    places = {}
    for option in (["--budget", 100], ["--exact"]):
        assert run("embed", model, "--out", out, "--seed", 4, *option).code == 0
        table = read_embedding(out, 12, 16)
        np.testing.assert_array_equal(table.coords, all_texels(12, 16))
        assert table.regions is None
        places[option[0]] = table.points
    expected = finish(embed(load(model), seed=4, budget=100))
    np.testing.assert_allclose(places["--budget"], expected, rtol=1e-4, atol=1e-4)
    # A texel that is placed lies at the coordinates of others, one that is fitted does not.
    assert len(np.unique(places["--exact"][:, 0])) == 192
    assert len(np.unique(places["--budget"][:, 0])) < 192
    done = run("embed", model, "--out", out, "--exact", "--budget", 200)
    assert done.code == 2
    assert "--exact and --budget exclude each other" in done.err
    done = run("embed", model, "--out", out, "--budget", 5)
    assert done.code == 2
    assert "the budget is 5 texels; allow 100 or more" in done.err


def test_texels_and_their_regions(run: Run, model: Path, table: Path, tmp_path: Path) -> None:
    placed = read_embedding(table, 12, 16)
    yx = all_texels(12, 16)
    np.testing.assert_array_equal(placed.coords, yx[yx[:, 1] < 9])
    assert placed.regions == tuple("ink" if x < 8 else "cloth" for _, x in placed.coords)
    out = tmp_path / "step.csv"
    options = ["--method", "pca", "--texels", tmp_path / "texels.csv", "--step", 2]
    assert run("embed", model, "--out", out, *options).code == 0
    fewer = read_embedding(out, 12, 16)
    assert len(fewer.coords) == 6 * 5
    assert (fewer.coords % 2 == fewer.coords[0] % 2).all()
    assert fewer.regions == tuple("ink" if x < 8 else "cloth" for _, x in fewer.coords)


def drawn(path: Path) -> set[tuple[int, ...]]:
    """The colours of a picture that cover more than the edge of a dot."""
    with Image.open(path) as image:
        counted = image.convert("RGB").getcolors(image.width * image.height)
    return {colour for count, colour in counted if count >= 5}


def colours_of(loaded: CompressedBTF, table: Path, what: str) -> np.ndarray:
    placed = read_embedding(table)
    if what == "region":
        assert placed.regions is not None
        return named_regions(placed.regions).rgb
    if what == "mean":
        return mean_colours(loaded, placed.coords).rgb
    labels = finish(segment(loaded, k=3)).labels
    return label_colours(labels[tuple(placed.coords.T)]).rgb


@pytest.mark.parametrize("what", ["region", "mean", "cluster:3"])
def test_a_plot_has_the_colours_of_its_texels(
    run: Run, model: Path, table: Path, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "plot.png"
    done = run("plot", table, "--out", out, "--color", what, "--model", model)
    assert (done.code, done.out) == (0, f"108 texels drawn in {out}\n")
    wanted = {tuple(map(int, colour)) for colour in colours_of(load(model), table, what)}
    # Dots may lie on top of each other.
    assert len(wanted & drawn(out)) > 0.9 * len(wanted)


@pytest.mark.parametrize("what", ["center", "position", "latent:5", "cluster"])
def test_every_way_to_colour(run: Run, model: Path, table: Path, tmp_path: Path, what: str) -> None:
    pictures = []
    for name in ("a.png", "b.png"):
        done = run("plot", table, "--out", tmp_path / name, "--color", what, "--model", model)
        assert done.code == 0
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    assert len(drawn(tmp_path / "a.png")) > 3


def test_without_a_model(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "plot.png"
    assert run("plot", table, "--out", out).code == 0
    # The colour of the texels in the middle and that of the corners.
    assert len(drawn(out)) > 20
    for what in ("mean", "latent:0", "cluster"):
        done = run("plot", table, "--out", out, "--color", what)
        assert done.code == 2
        assert f"--color {what} needs the model; name it with --model" in done.err


@pytest.mark.parametrize("what", ["center", "position"])
def test_the_size_of_the_surface(
    run: Run, model: Path, table: Path, tmp_path: Path, what: str
) -> None:
    """The table has the left nine columns of sixteen, so that the centre is not its own."""

    def picture(*options: object) -> tuple[bytes, str]:
        out = tmp_path / "plot.png"
        done = run("plot", table, "--out", out, "--color", what, *options)
        assert done.code == 0, done.err
        return out.read_bytes(), done.err

    right = picture("--model", model)
    assert right[1] == ""
    assert picture("--size", "16,12") == right
    assert picture("--size", "16,12", "--model", model) == right
    guessed, note = picture()
    assert guessed == picture("--size", "9,12")[0] != right[0]
    assert note == (
        "note: the surface is assumed to have 9 x 12 texels, up to the last ones in the file; "
        "give its size by --size W,H or --model\n"
    )
    assert run("plot", table, "--out", tmp_path / "x.png", "--color", "region").err == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--size", "9,11"], "x=0, y=11 lies outside the 9 x 11 image"),
        (["--size", "8,12"], "x=8, y=0 lies outside the 8 x 12 image"),
        (["--size", "0,0"], "--size is '0,0'; give W,H in texels"),
        (["--size", "9"], "--size is '9'; give W,H in texels"),
        (["--size", "12,16"], "--size is 12,16, and the model has 16 x 12 texels"),
        (["--color", "colour"], "--color is 'colour'"),
        (["--color", "latent"], "--color is 'latent'"),
        (["--color", "latent:-1"], "--color is 'latent:-1'"),
        (["--color", "latent:99"], "the model has no latent 99; use 0 to 5"),
        (["--color", "cluster:0"], "0 materials were asked for"),
        (["--out", "plot.jpg"], "it is not named .png"),
    ],
)
def test_a_plot_that_cannot_be(
    run: Run, model: Path, table: Path, tmp_path: Path, options: list[str], complaint: str
) -> None:
    out = tmp_path / "plot.png"
    given = () if "image" in complaint else ("--model", model)
    done = run("plot", table, "--out", out, *given, *options)
    assert done.code == 2
    assert complaint in done.err
    assert not out.exists()


def test_a_table_without_regions_or_of_another_model(run: Run, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("tsne_x,tsne_y,image_x,image_y\n0,0,0,0\n1,1,16,3\n")
    done = run("plot", path, "--out", tmp_path / "plot.png", "--color", "region")
    assert done.code == 2
    assert f"{path}: it has no column region" in done.err
    done = run("plot", path, "--out", tmp_path / "plot.png", "--model", model)
    assert done.code == 2
    assert f"{path}: line 3: x=16, y=3 lies outside the 16 x 12 image" in done.err
    done = run("plot", path, "--out", path)
    assert done.code == 2
    assert not (tmp_path / "plot.png").exists()
