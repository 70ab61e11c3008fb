from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_btf.directions import (
    AzimuthConvention,
    angle_between,
    angles_to_vectors,
    disk_to_vectors,
    format_angles,
    great_circle,
    group_directions,
    vectors_to_angles,
    vectors_to_disk,
)
from napari_btf.errors import UsageError

theta = st.floats(0.01, 90)
phi = st.floats(0, 359.99)
conventions = st.builds(
    AzimuthConvention, st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)
usual_conventions = st.builds(AzimuthConvention, st.booleans(), st.floats(-360, 360))


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


@pytest.mark.parametrize(
    ("text", "clockwise", "zero"),
    [("ccw", False, 0), ("cw", True, 0), ("cw+90", True, 90), ("ccw-45.5", False, -45.5)],
)
def test_azimuth_conventions_have_one_text_form(text: str, clockwise: bool, zero: float) -> None:
    convention = AzimuthConvention(clockwise, zero)
    assert str(convention) == text
    assert AzimuthConvention.parse(text) == convention


@given(conventions)
def test_azimuth_conventions_survive_the_way_through_text(convention: AzimuthConvention) -> None:
    assert AzimuthConvention.parse(str(convention)) == convention


def test_azimuth_conventions_may_be_written_freely() -> None:
    assert AzimuthConvention.parse(" CW + 90. ") == AzimuthConvention(True, 90)
    assert AzimuthConvention.parse("ccw+0") == AzimuthConvention()


@pytest.mark.parametrize(
    "text", ["", "clockwise", "90", "cw90", "cw+", "cw+90+90", "ccw+nan", "ccw+inf", "cw+1e999"]
)
def test_what_is_no_azimuth_convention_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected (ccw or cw|degrees)") as error:
        AzimuthConvention.parse(text)
    assert str(error.value).count(". ") == 0


@given(usual_conventions, theta, phi)
def test_azimuths_count_from_zero_in_their_direction(
    convention: AzimuthConvention, t: float, p: float
) -> None:
    turned = convention.apply(angles_to_vectors(t, p))
    expected = convention.zero + (-p if convention.clockwise else p)
    np.testing.assert_allclose(turned, angles_to_vectors(t, expected), atol=1e-12)
    assert vectors_to_angles(turned)[0] == pytest.approx(t, abs=1e-9)


@given(st.floats(-360, 360), theta, phi)
def test_counting_clockwise_twice_changes_nothing(zero: float, t: float, p: float) -> None:
    vector, convention = angles_to_vectors(t, p), AzimuthConvention(True, zero)
    np.testing.assert_allclose(convention.apply(convention.apply(vector)), vector, atol=1e-12)


def test_flips_are_exact() -> None:
    vectors = angles_to_vectors([30, 77.7, 90], [12.3, 200, 359])
    for text, flip in {
        "ccw": [1, 1, 1],
        "ccw+360": [1, 1, 1],
        "cw": [1, -1, 1],
        "cw+180": [-1, 1, 1],
        "ccw-180": [-1, -1, 1],
    }.items():
        convention = AzimuthConvention.parse(text)
        np.testing.assert_array_equal(convention.apply(vectors), vectors * flip)
        assert convention.is_identity == (flip == [1, 1, 1])
    quarter = AzimuthConvention.parse("ccw+90").apply(vectors)
    np.testing.assert_array_equal(quarter, vectors[:, [1, 0, 2]] * [-1, 1, 1])


@given(st.tuples(theta, phi), st.tuples(theta, phi), st.floats(0, 1))
def test_a_great_circle_is_gone_evenly(
    a: tuple[float, float], b: tuple[float, float], share: float
) -> None:
    start, end = angles_to_vectors(*a), angles_to_vectors(*b)
    whole, found = angle_between(start, end), great_circle(start, end, share)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    assert angle_between(start, found) == pytest.approx(share * whole, abs=1e-3)
    assert angle_between(found, end) == pytest.approx((1 - share) * whole, abs=1e-3)


def test_opposite_directions_are_joined_by_the_normal() -> None:
    east, west = angles_to_vectors(90, 0), angles_to_vectors(90, 180)
    np.testing.assert_allclose(great_circle(east, west, 0.5), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(
        great_circle(east, west, [0.0, 0.25, 1.0]),
        [east, angles_to_vectors(45, 0), west],
        atol=1e-9,
    )
