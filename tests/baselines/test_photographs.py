from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from napari_btf.baselines import (
    fit_inverse_distance,
    fit_nearest,
    fit_thin_plate,
    photographs,
)
from napari_btf.btf import BTF
from napari_btf.directions import angles_to_vectors, disk_to_vectors, vectors_to_disk
from napari_btf.errors import UsageError
from napari_btf.progress import finish

Make = Callable[..., BTF]
NORMAL = np.array([0.0, 0.0, 1.0])


def on_disk(points: list[tuple[float, float]], values: list[int]) -> BTF:
    """Photographs of 2 x 2 texels of one value each, lights at points of the disk."""
    light = disk_to_vectors(points)
    frames = np.ones((len(points), 2, 2, 1)) * np.reshape(values, (-1, 1, 1, 1))
    return BTF(frames.astype(np.uint8), light, np.tile(NORMAL, (len(points), 1)))


def at(fitted: object, point: tuple[float, float]) -> float:
    """The value under a light, 0..255."""
    light = disk_to_vectors([point])
    (image,) = fitted.shaded(light, NORMAL[None])  # type: ignore[attr-defined]
    assert image.shape == (2, 2, 1)
    assert np.ptp(image) == 0
    return float(image[0, 0, 0]) * 255


def test_nearest_on_the_disk() -> None:
    fitted = finish(fit_nearest(on_disk([(0, 0), (0.5, 0), (0, 0.4)], [10, 20, 30])))
    assert at(fitted, (0.2, 0)) == pytest.approx(10)
    assert at(fitted, (0.3, 0)) == pytest.approx(20)
    assert at(fitted, (-0.3, 0.9)) == pytest.approx(30)


def test_nearest_looks_at_both_directions(make_btf: Make) -> None:
    btf = make_btf(views=4)
    light, view = angles_to_vectors(40, 140), angles_to_vectors(18, 130)
    (image,) = finish(fit_nearest(btf)).shaded(light[None], view[None])
    distance = np.sum((vectors_to_disk(btf.light) - vectors_to_disk(light)) ** 2, axis=1)
    distance += np.sum((vectors_to_disk(btf.view) - vectors_to_disk(view)) ** 2, axis=1)
    np.testing.assert_allclose(image, btf.frames[distance.argmin()] / 255, atol=1e-6)


def test_inverse_distance_by_hand() -> None:
    capture = on_disk([(0, 0), (0.3, 0), (0, 0.6)], [0, 100, 200])
    # Squared distances from (0.1, 0): 0.01, 0.04, 0.37.
    weights = np.array([1 / 0.01, 1 / 0.04, 1 / 0.37])
    expected = weights @ [0, 100, 200] / weights.sum()
    assert at(finish(fit_inverse_distance(capture)), (0.1, 0)) == pytest.approx(expected, rel=1e-4)
    two = finish(fit_inverse_distance(capture, neighbours=2))
    assert at(two, (0.1, 0)) == pytest.approx(100 * 25 / 125, rel=1e-4)
    assert at(two, (0.3, 0)) == pytest.approx(100)


def test_a_spline_has_no_error_in_a_plane() -> None:
    points = [(0.0, 0.0), (0.5, 0.1), (-0.4, 0.3), (0.1, -0.5), (-0.3, -0.3), (0.3, 0.4)]
    values = [round(100 + 100 * x + 60 * y) for x, y in points]
    fitted = finish(fit_thin_plate(on_disk(points, values)))
    for x, y in ((0.2, 0.1), (-0.1, -0.2), (0.0, 0.3)):
        assert at(fitted, (x, y)) == pytest.approx(100 + 100 * x + 60 * y, abs=0.05)


def test_the_spline_is_that_of_scipy(make_btf: Make) -> None:
    btf = make_btf(views=1, lights=25)
    fitted = finish(fit_thin_plate(btf))
    asked = angles_to_vectors([5, 20, 33, 50], [10, 100, 200, 300])
    expected = RBFInterpolator(
        vectors_to_disk(btf.light)[np.unique(btf.light.round(9), axis=0, return_index=True)[1]],
        btf.frames[np.unique(btf.light.round(9), axis=0, return_index=True)[1]].reshape(-1, 576)
        / 255,
        kernel="thin_plate_spline",
    )(vectors_to_disk(asked))
    found = np.stack(list(fitted.shaded(asked, np.tile(NORMAL, (4, 1))))).reshape(4, -1)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    own = np.stack(list(fitted.shaded(btf.light, btf.view)))
    np.testing.assert_allclose(own, btf.frames / 255, atol=2e-3)


@pytest.mark.parametrize("fit", [fit_nearest, fit_inverse_distance, fit_thin_plate])
def test_as_many_photographs_as_fit(make_btf: Make, fit: Callable[..., object]) -> None:
    btf = make_btf(views=1, lights=20)
    each = 12 * 16 * 3 + 16
    full = finish(fit(btf))  # type: ignore[arg-type]
    assert (full.nbytes, full.note) == (20 * each, "all 20 photographs")
    part = finish(fit(btf, 8 * each - 1))  # type: ignore[arg-type]
    assert (part.nbytes, part.note) == (7 * each, "7 of 20 photographs")
    # Those that are kept are met, and they are spread: from the middle to the rim.
    kept = part.btf
    for image, frame in zip(part.shaded(kept.light, kept.view), kept.frames, strict=True):
        np.testing.assert_allclose(image, frame / 255, atol=2e-3)
    radius = np.hypot(*vectors_to_disk(kept.light).T)
    assert radius.min() < 0.15
    assert radius.max() == pytest.approx(np.hypot(*vectors_to_disk(btf.light).T).max())
    assert len(finish(fit(btf, 1)).btf) == 1  # type: ignore[arg-type]


def test_the_spline_is_of_lights_only(make_btf: Make) -> None:
    with pytest.raises(UsageError, match="thin-plate applies to captures with one view only"):
        finish(fit_thin_plate(make_btf(views=2)))


def test_a_spline_of_more_lights_than_can_be_solved_for(
    make_btf: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "_MOST_IN_SPLINE", 9)
    fitted = finish(fit_thin_plate(make_btf(views=1, lights=20)))
    assert fitted.note == "9 of 20 photographs"
    assert len(fitted.btf) == 9
