"""The verbs relight and normals, called as the program calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.cli import main
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.export.images import resized
from napari_btf.export.images import write_image as write
from napari_btf.formats.images import files as _images
from napari_btf.progress import finish
from napari_btf.relighting import (
    Light,
    Relighter,
    combine,
    estimate_surface,
    find_environment,
    relight,
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model(make_btf: Callable[..., BTF], tmp_path: Path) -> CompressedBTF:
    settings = FitSettings(8, NetworkSettings(epochs=1), codec="neural-basis")
    model = finish(fit(make_btf(lights=20), settings=settings))
    model.save(tmp_path / "model.safetensors")
    return model


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit code, standard output and standard error of a verb with the model of the test."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, str, str]:
        verb, *others = map(str, arguments)
        with pytest.raises(SystemExit) as end:
            main([verb, "model.safetensors", *others])
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return command


def png(name: str = "x.png") -> np.ndarray:
    with Image.open(name) as image:
        return np.asarray(image)


def near(image: np.ndarray, expected: np.ndarray) -> None:
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_one_light(model: CompressedBTF, run: Run) -> None:
    assert run("relight", "--light", "20,30", "--view", "5,0", "--out", "x.png") == (0, "", "")
    np.testing.assert_array_equal(png(), relight(model, (20, 30), (5, 0)))
    code, _, note = run("relight", "--light", "89.9,30", "--out", "x.png")
    assert code == 0
    assert "up to 63° from the normal; showing 63°, 30°" in note


def test_several_lights_and_colours(model: CompressedBTF, run: Run) -> None:
    both = "--light", "40,10,1,0.2,0.1", "--light", "55,200,0,0.5,1,0.7"
    assert run("relight", *both, "--out", "x.png")[0] == 0
    lights = [Light(40, 10, (1, 0.2, 0.1)), Light(55, 200, (0, 0.5, 1), 0.7)]
    np.testing.assert_array_equal(png(), combine(model, lights))
    assert run("relight", "--light", "40,10,1,1,1,0.5", "--out", "x.png")[0] == 0
    near(png(), relight(model, [Light(40, 10, intensity=0.5)]))
    _, _, notes = run("relight", "--light", "80,10", "--light", "85,200", "--out", "x.png")
    assert notes.count("note:") == 2


def test_what_lies_beyond_is_said_of_light_and_view(model: CompressedBTF, run: Run) -> None:
    lights = "note: lights were captured up to 63° from the normal; "
    views = "note: views were captured up to 20° from the normal; "
    far = "--light", "85,40", "--view", "80,0", "--out", "x.png"
    _, _, said = run("relight", *far)
    assert said.splitlines() == [
        f"{lights}showing 63°, 40°",
        f"{views}showing 20°, 0°",
    ]
    _, _, said = run("relight", *far, "--light", "70,140")
    assert said.count(lights) == 2
    assert said.count(views) == 1
    for how in (["relight", "--environment", "window"], ["normals"]):
        code, _, said = run(*how, "--view", "80,0", "--out", "x.png")
        notes = [line for line in said.splitlines() if line.startswith("note:")]
        assert (code, notes) == (0, [f"{views}showing 20°, 0°"])
    assert "note" not in run("normals", "--view", "20,0", "--out", "x.png")[2]


def test_a_path_that_goes_beyond_says_so_once(model: CompressedBTF, run: Run) -> None:
    how = "--seconds", 1, "--fps", 10, "--out", "x.gif"
    lights = "lights were captured up to 63° from the normal; "
    code, _, said = run("relight", "--path", "circle:89", *how)
    assert code == 0
    note = f"{lights}10 of 10 frames show the nearest possible light"
    assert said.splitlines() == ["writing frames ...", f"note: {note}"]
    _, _, said = run("relight", "--path", "circle:89", *how, "--log-json")
    notes = [part for part in map(json.loads, said.splitlines()) if "note" in part]
    assert notes == [{"note": note}]
    _, _, said = run("relight", "--path", "sweep:0,0:90,0", *how, "--view", "30,0")
    # Steps of nine degrees: 72, 81 and 90 are beyond.
    assert f"note: {lights}3 of 11 frames" in said
    assert (
        "note: views were captured up to 20° from the normal; 11 of 11 frames show the nearest"
        in said
    )
    assert "note" not in run("relight", "--path", "circle:63", *how, "--view", "20,0")[2]
    Path("one.csv").write_text("light_theta,light_phi,view_theta,view_phi\n9,0,0,0\n9,0,40,0\n")
    _, _, said = run("relight", "--path", "one.csv", "--fps", 2, "--out", "y.gif")
    assert said.count("note: ") == 1
    assert "note: views were captured up to 20° from the normal; 1 of 3 frames" in said


def test_environments(model: CompressedBTF, run: Run) -> None:
    assert run("relight", "--environment", "studio", "--turn", 40, "--out", "x.png")[0] == 0
    np.testing.assert_array_equal(png(), relight(model, find_environment("studio", 40)))
    write("sky.tif", np.random.default_rng(0).uniform(0, 2, (8, 16, 3)).astype(np.float32))
    assert run("relight", "--environment", "sky.tif", "--out", "x.png")[0] == 0
    np.testing.assert_array_equal(png(), relight(model, find_environment("sky.tif")))


def test_size_rectangle_and_exposure(model: CompressedBTF, run: Run) -> None:
    how = "--texels", "2,3,12,11", "--size", "5,16", "--exposure", "-0.5"
    assert run("relight", "--light", "20,30", *how, "--out", "x.png")[0] == 0
    part = Relighter(model).image((20, 30), rows=slice(3, 11), columns=slice(2, 12), exposure=-0.5)
    np.testing.assert_array_equal(png(), resized(part, 5, 16))


def test_radiance_is_kept_or_shown(make_btf: Callable[..., BTF], run: Run) -> None:
    from dataclasses import replace

    btf = make_btf(lights=20)
    hdr = replace(btf, frames=(btf.frames / 85.0).astype(np.float16))
    settings = FitSettings(8, NetworkSettings(epochs=1), codec="neural-basis")
    model = finish(fit(hdr, settings=settings))
    model.save("model.safetensors")
    expected = relight(model, (20, 30))
    assert expected.max() > 1.2
    for name in ("x.tif", "x.exr", "x.png"):
        assert run("relight", "--light", "20,30", "--out", name)[0] == 0
    np.testing.assert_array_equal(tifffile.imread("x.tif"), expected)
    assert expected.dtype == np.float16
    np.testing.assert_array_equal(_images.decode(Path("x.exr").read_bytes()), expected)
    assert (png().dtype, png().max()) == (np.uint8, 255)
    assert run("relight", "--light", "20,30", "--exposure", "-2", "--out", "x.tif")[0] == 0
    np.testing.assert_allclose(tifffile.imread("x.tif"), expected / 4, rtol=2e-3)


def test_paths(model: CompressedBTF, run: Run) -> None:
    lights = "light_theta,light_phi,view_theta,view_phi\n20,0,0,0\n40,0,10,0\n"
    Path("lights.csv").write_text(lights)
    code, out, err = run("relight", "--path", "lights.csv", "--fps", 2, "--out", "frames")
    assert (code, out, err) == (0, "frames: 3 frames, 1.5 s\n", "writing frames ...\n")
    near(png("frames/0000.png"), relight(model, (20, 0), (0, 0)))
    near(png("frames/0002.png"), relight(model, (40, 0), (10, 0)))
    how = "--seconds", 1, "--fps", 10, "--size", "32,24", "--view", "5,0"
    code, out, _ = run("relight", "--path", "circle:40", *how, "--out", "x.gif")
    assert (code, out) == (0, "x.gif: 10 frames, 1 s\n")
    with Image.open("x.gif") as movie:
        assert (movie.n_frames, movie.size) == (10, (32, 24))
    code, _, err = run("relight", "--path", "lights.csv", "--view", "5,0", "--out", "y.gif")
    assert code == 2
    assert "--view is given, but lights.csv has views" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.png"], "--light, --environment and --path"),
        (["--light", "1,2", "--path", "circle:3", "--out", "x.png"], "give one of them"),
        (["--light", "1,2,3", "--out", "x.png"], "--light is '1,2,3'; give THETA,PHI"),
        (["--light", "1,2,3,4,5,6,7", "--out", "x.png"], "--light is"),
        (["--light", "1,2,-1,0,0", "--out", "x.png"], "give red, green, blue"),
        (["--light", "nan,2", "--out", "x.png"], "not a direction above the surface"),
        (["--light", "1,2", "--light", "95,0", "--out", "x.png"], "above the surface"),
        (["--light", "1,2", "--view", "95,0", "--out", "x.png"], "view 95,0 is not"),
        (["--light", "1,2", "--out", "x.mp4"], "images are not written as .mp4"),
        (["--light", "1,2", "--out", "model.safetensors"], "belongs to the input"),
        (["--path", "circle:3", "--out", "x.png"], "movies are not written as .png"),
        (["--path", "circle:x", "--out", "x.gif"], "is no path"),
        (["--path", "none.csv", "--out", "x.gif"], "none.csv: there is no such file"),
        (["--path", "circle:3", "--fps", "0", "--out", "x.gif"], "0 frames per second"),
        (["--path", "circle:3", "--seconds", "-1", "--out", "x.gif"], "-1 seconds"),
        (["--environment", "moon", "--out", "x.png"], "overcast, window, studio"),
        (["--environment", "window", "--turn", "nan", "--out", "x.png"], "number of degrees"),
        (["--path", "hop:95", "--out", "x.gif"], "'hop:95' is no path; give circle:THETA"),
        (["--path", "hop:9,5:1,2", "--out", "x.gif"], "is no path; give circle:THETA"),
        (["--light", "1,2", "--seconds", "3", "--out", "x.png"], "--seconds has no effect without"),
        (["--light", "1,2", "--fps", "25", "--out", "x.png"], "--fps has no effect without --path"),
        (["--light", "1,2", "--turn", "30", "--out", "x.png"], "without --environment"),
        (["--path", "circle:3", "--turn", "0", "--out", "x.gif"], "without --environment"),
        (["--environment", "window", "--seconds", "3", "--out", "x.png"], "without --path"),
        (["--light", "1,2", "--size", "9", "--out", "x.png"], "--size is '9'; give W,H"),
        (["--light", "1,2", "--size", "0,9", "--out", "x.png"], "--size is '0,9'"),
        (["--light", "1,2", "--size", "9,99999", "--out", "x.png"], "no size of an image"),
        (["--light", "1,2", "--texels", "1,2,3", "--out", "x.png"], "--texels is '1,2,3'"),
        (["--light", "1,2", "--texels", "0,0,17,3", "--out", "x.png"], "surface of 16 x 12"),
        (["--light", "1,2", "--texels", "3,3,3,5", "--out", "x.png"], "is no rectangle"),
        (["--light", "1,2", "--exposure", "nan", "--out", "x.png"], "the exposure is nan"),
    ],
)
def test_wrong_input(model: CompressedBTF, run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run("relight", *arguments)
    (complaint,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert (code, out) == (2, "")
    assert words in complaint
    assert [path.name for path in Path().iterdir()] == ["model.safetensors"]


def test_normals(model: CompressedBTF, run: Run) -> None:
    found = finish(estimate_surface(model))
    code, out, _ = run("normals", "--out", "x.png", "--albedo", "albedo.tif")
    assert (code, out) == (0, "x.png: normals of 16 x 12 texels, an estimate\n")
    assert np.abs(png() / 127.5 - 1 - found.normals).max() < 0.005
    np.testing.assert_array_equal(tifffile.imread("albedo.tif"), found.albedo)
    for name in ("x.tif", "x.exr"):
        assert run("normals", "--out", name)[0] == 0
        vectors = _images.decode(Path(name).read_bytes())
        np.testing.assert_array_equal(vectors, found.normals)
    assert "is named twice" in run("normals", "--out", "x.tif", "--albedo", "x.tif")[2]
    assert "not written as .doc" in run("normals", "--out", "x.doc")[2]
