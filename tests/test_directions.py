from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_btf.directions import (
    angle_between,
    angles_to_vectors,
    disk_to_vectors,
    format_angles,
    group_directions,
    vectors_to_angles,
    vectors_to_disk,
)

theta = st.floats(0.01, 90)
phi = st.floats(0, 359.99)


def test_axes_follow_the_convention() -> None:
    right, up, out = angles_to_vectors([90, 90, 0], [0, 90, 123])
    np.testing.assert_allclose(right, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(up, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(out, [0, 0, 1], atol=1e-12)


@given(theta, phi)
def test_angles_survive_the_way_through_vectors(t: float, p: float) -> None:
    vector = angles_to_vectors(t, p)
    assert np.linalg.norm(vector) == pytest.approx(1)
    back_t, back_p = vectors_to_angles(vector)
    assert back_t == pytest.approx(t, abs=1e-9)
    assert (back_p - p + 180) % 360 - 180 == pytest.approx(0, abs=1e-7)


@given(theta, phi)
def test_disk_is_the_stereographic_projection(t: float, p: float) -> None:
    vector = angles_to_vectors(t, p)
    point = vectors_to_disk(vector)
    assert np.hypot(*point) == pytest.approx(np.tan(np.deg2rad(t) / 2))
    np.testing.assert_allclose(disk_to_vectors(point), vector, atol=1e-12)


@given(st.floats(-90, 90), phi)
def test_negative_theta_is_the_opposite_azimuth(t: float, p: float) -> None:
    np.testing.assert_allclose(angles_to_vectors(-t, p), angles_to_vectors(t, p + 180), atol=1e-12)


@given(theta, phi, st.floats(1e-4, 20))
def test_angle_between_is_precise_for_near_directions(t: float, p: float, apart: float) -> None:
    a, b = angles_to_vectors(t, p), angles_to_vectors(t + apart, p)
    assert angle_between(a, b) == pytest.approx(apart, rel=1e-6)


def test_groups_ignore_azimuth_at_the_pole_and_tiny_differences() -> None:
    vectors = angles_to_vectors([0, 0, 30, 30.005, 30], [0, 77, 10, 10, 40])
    groups = group_directions(vectors)
    assert len(groups.vectors) == 3
    assert groups.member_of.tolist() == [0, 0, 1, 1, 2]


def test_groups_are_ordered_by_theta_then_phi() -> None:
    vectors = angles_to_vectors([60, 15, 60, 0], [300, 20, 10, 0])
    t, p = vectors_to_angles(group_directions(vectors).vectors)
    np.testing.assert_allclose(t, [0, 15, 60, 60], atol=1e-9)
    np.testing.assert_allclose(p, [0, 20, 10, 300], atol=1e-9)


def test_angles_as_text() -> None:
    assert format_angles(angles_to_vectors(50.69, 250.05)) == "50.69°, 250.05°"
    assert format_angles([0, 0, 1]) == "0°, 0°"
