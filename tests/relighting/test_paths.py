from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.directions import angle_between, angles_to_vectors, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.progress import finish
from napari_btf.relighting import (
    LightPath,
    Relighter,
    circle,
    find_path,
    frames_along,
    relight,
    spiral,
    sweep,
)
from napari_btf.relighting.paths import read_path


def angles(path: LightPath, time: float) -> tuple[float, float]:
    theta, phi = vectors_to_angles(path.at([time])[0][0])
    return float(theta), float(phi)


def test_a_circle_closes() -> None:
    path = circle(40, seconds=4)
    assert path.is_closed
    times = path.times(10)
    assert len(times) == 40
    theta, phi = vectors_to_angles(path.at(times)[0])
    np.testing.assert_allclose(theta, 40, atol=0.03)
    np.testing.assert_allclose(phi, np.arange(40) * 9.0, atol=0.05)


def test_a_sweep_over_the_normal() -> None:
    path = sweep((-60, 30), (60, 30), seconds=2)
    assert not path.is_closed
    assert len(path.times(5)) == 11
    assert angles(path, 0) == pytest.approx((60, 210))
    assert angles(path, 0.5) == pytest.approx((30, 210))
    assert angles(path, 1.0)[0] == pytest.approx(0, abs=1e-6)
    assert angles(path, 1.75) == pytest.approx((45, 30))
    # Opposite horizons: of all great circles the one over the surface.
    assert angles(sweep((90, 0), (90, 180), 2), 0.5) == pytest.approx((45, 0))
    rests = sweep((20, 40), (20, 40))
    assert angles(rests, 1.5) == pytest.approx((20, 40))


def test_a_spiral() -> None:
    path = spiral(60, seconds=6, turns=3)
    assert angles(path, 0)[0] == 0
    theta, phi = angles(path, 3)
    assert theta == pytest.approx(30, abs=0.1)
    assert phi == pytest.approx(180, abs=0.5)
    assert angles(path, 6)[0] == pytest.approx(60)


@given(st.tuples(*[st.floats(-90, 90), st.floats(-400, 400)] * 2), st.floats(0, 1))
def test_between_two_directions_time_is_distance(
    ends: tuple[float, float, float, float], share: float
) -> None:
    path = sweep(ends[:2], ends[2:], seconds=1.0)
    (moved,), _ = path.at([share])
    start, end = path.light
    whole = angle_between(start, end)
    assert np.linalg.norm(moved) == pytest.approx(1)
    assert moved[2] >= -1e-9
    assert angle_between(start, moved) == pytest.approx(share * whole, abs=1e-4)
    assert angle_between(moved, end) == pytest.approx((1 - share) * whole, abs=1e-4)


def test_keyframes_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "lights.csv"
    file.write_text("light_theta,light_phi\n0,0\n40,90\n40,180\n")
    path = read_path(file)
    assert path.view is None
    assert path.seconds.tolist() == [0, 1, 2]
    assert angles(path, 0.25) == pytest.approx((10, 90))
    # Any order of columns, further ones, seconds that start anywhere, blank lines.
    file.write_text(
        "name,seconds,view_phi,view_theta,light_phi,light_theta\n\na,2,0,0,10,20\nb,6,90,20,10,60\n"
    )
    path = read_path(file)
    assert path.view is not None
    assert path.seconds.tolist() == [0, 4]
    light, view = path.at([2.0])
    np.testing.assert_allclose(light, [angles_to_vectors(40, 10)], atol=1e-12)
    np.testing.assert_allclose(view, [angles_to_vectors(10, 90)], atol=1e-12)
    assert find_path(str(file), seconds=1.0).seconds.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected the header light_theta,light_phi"),
        ("theta,phi\n1,2\n3,4\n", "'theta,phi'"),
        ("light_theta,light_phi,view_theta\n1,2,3\n3,4,5\n", "expected the header"),
        ("light_theta,light_phi\n1,2\n", "fewer than two keyframes"),
        ("light_theta,light_phi\n1,2\n\n3\n", "line 4 is '3'"),
        ("light_theta,light_phi\n1,2\n3,north\n", "line 3 is '3,north'"),
        ("light_theta,light_phi\n1,2\n95,0\n", "line 3: light 95,0 is not a direction"),
        (
            "light_theta,light_phi,view_theta,view_phi\n1,2,3,4\n1,2,nan,0\n",
            "line 3: view nan,0 is not a direction",
        ),
        ("light_theta,light_phi,seconds\n1,2,0\n3,4,0\n", "line 3: seconds do not increase"),
        ("light_theta,light_phi,seconds\n1,2,0\n3,4,inf\n", "line 3 is '3,4,inf'"),
    ],
)
def test_files_that_are_no_path(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "lights.csv"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        read_path(file)
    assert words in str(error.value)
    assert str(file) in str(error.value)


@given(st.text(alphabet="light_thepwsecond,\n0123456789.-en \"'", max_size=120))
def test_any_text_is_a_path_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_text("light_theta,light_phi,seconds\n" + text)
    try:
        path = read_path(file)
    except UsageError:
        return
    light, _ = path.at(np.linspace(0, path.seconds[-1], 7))
    assert np.isfinite(light).all()
    assert (light[:, 2] >= -1e-9).all()


@pytest.mark.parametrize(
    "name", ["circle", "circle:", "circle:1,2", "sweep:1,2", "spiral:x", "sweep:1,2:3", "zigzag:4"]
)
def test_names_that_are_no_path(name: str) -> None:
    with pytest.raises(UsageError):
        find_path(name)


def test_lengths_that_are_none() -> None:
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="the path takes"):
            circle(30, seconds)
    for fps in (0.0, -3.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="frames per second"):
            circle(30).times(fps)
    with pytest.raises(UsageError, match="more than 100,000 frames"):
        circle(30, 1e6).times(25)
    with pytest.raises(UsageError, match="above the surface"):
        circle(91)


def test_frames_along_a_path(make_btf: Callable[..., BTF]) -> None:
    settings = FitSettings(8, NetworkSettings(epochs=1), codec="neural-basis")
    model = finish(fit(make_btf(), settings=settings))
    path = sweep((-40, 20), (40, 20), seconds=1)
    frames = list(frames_along(Relighter(model), path, 4, (10, 0), rows=slice(3, 9)))
    assert [frame.shape for frame in frames] == [(6, 16, 3)] * 5
    for frame, theta in zip(frames, (-40, -20, 0, 20, 40), strict=True):
        expected = relight(model, (theta, 20), (10, 0))[3:9]
        assert np.abs(frame.astype(int) - expected).max() <= 1
    both = LightPath(path.seconds, path.light, path.light[::-1].copy())
    (first, *_) = frames_along(Relighter(model), both, 4)
    assert np.abs(first.astype(int) - relight(model, (-40, 20), (40, 20))).max() <= 1
