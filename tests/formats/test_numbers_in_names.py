"""Numbers in image names are read whole, or the names are refused; sets of names are checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_btf.btf import BTF
from napari_btf.directions import vectors_to_angles
from napari_btf.errors import BTFError, CaptureError
from napari_btf.formats import read
from napari_btf.formats.image_names import Angles, AnglesError, parse_angles


def images(folder: Path, names: Iterable[str]) -> Path:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3), i + 1).save(path)
    return folder


def lights(btf: BTF) -> list[tuple[float, float]]:
    theta, phi = vectors_to_angles(btf.light)
    return sorted(zip(theta.round(3).tolist(), (phi.round(3) % 360).tolist(), strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "tl12p5_pl0_tv0_pv0",
        "tl12pt5_pl0_tv0_pv0",
        "tl12_5_pl0_tv0_pv0",
        "tl12-5_pl0_tv0_pv0",
        "tl12 5 pl0 tv0 pv0",
        "tl1e1_pl0_tv0_pv0",
        "tl1.5e+01_pl0_tv0_pv0",
        "tl12.5.3_pl0_tv0_pv0",
        "tl12,5,3_pl0_tv0_pv0",
        "tl0x1F_pl0_tv0_pv0",
        "tl12°30_pl0_tv0_pv0",
        "tl12d30_pl0_tv0_pv0",
        "tl.5_pl0_tv0_pv0",
        "tl--30_pl0_tv0_pv0",
        "tl\u221230_pl0_tv0_pv0",
        "tl0.5rad_pl0_tv0_pv0",
        "theta_l=0.5_rad_phi_l=0_theta_v=0_phi_v=0",
        "pl0_tv0_pv0_tl12p5",
        "tv0_pv22_5/tl0_pl0",
    ],
)
def test_numbers_that_are_not_clear_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AnglesError, match="in the name is not clear as the number of"):
        parse_angles(f"{name}.png")
    folder = images(tmp_path / "x", [f"{name}.png", "tl30_pl0_tv0_pv0.png"])
    with pytest.raises(CaptureError, match="correct the name, or leave the image out with --skip"):
        read(folder)
    assert "1 images with wrong names were left out" in read(folder, skip_bad=True).notes[0]


def test_a_decimal_comma_is_read() -> None:
    assert parse_angles("tl12,5_pl30, tv0,25 pv-7,5.png") == Angles(12.5, 30, 0.25, -7.5)


def test_an_odd_number_in_a_name_without_all_angles_is_no_angle() -> None:
    assert parse_angles("tv1e5_scan 1.2.3.png") is None


@pytest.mark.parametrize("ending", ["_{:03d}", "_{}", "-{}", " {}", "_7"])
def test_an_index_at_the_end_is_an_index(tmp_path: Path, ending: str) -> None:
    names = [f"tv0_pv0_tl30_pl{40 * i}{ending.format(i + 1)}.png" for i in range(8)]
    assert lights(read(images(tmp_path, names))) == [(30, 40 * i) for i in range(8)]


@pytest.mark.parametrize("phis", [["22_5", "45", "67_5"], ["22_5", "45_0", "67_5", "90_0"]])
def test_decimals_at_the_end_are_refused(tmp_path: Path, phis: list[str]) -> None:
    folder = images(tmp_path, [f"tv0_pv0_tl30_pl{phi}.png" for phi in phis])
    with pytest.raises(CaptureError, match="may be decimals of the last angle; write decimals"):
        read(folder)


def test_hyphens_before_all_numbers_separate(tmp_path: Path) -> None:
    names = [f"tl-{t}-pl-{p}-tv-0-pv-0.png" for t, p in ((0, 0), (30, 60), (60, 300))]
    btf = read(images(tmp_path, names))
    assert lights(btf) == [(0, 0), (30, 60), (60, 300)]
    assert "were taken for separators" in btf.notes[0]


def test_hyphens_before_some_numbers_are_signs(tmp_path: Path) -> None:
    btf = read(images(tmp_path, ["tl30_pl-60_tv0_pv0.png", "tl30_pl60_tv0_pv0.png"]))
    assert lights(btf) == [(30, 60), (30, 300)]
    assert btf.notes == ()
    btf = read(images(tmp_path / "b", ["tl-30_pl0_tv0_pv0.png", "tl-60_pl0_tv0_pv0.png"]))
    assert lights(btf) == [(30, 180), (60, 180)]
    assert "all numbers of theta of the light were taken for minus signs" in btf.notes[0]


def test_radians_are_refused(tmp_path: Path) -> None:
    names = [
        f"tl{math.radians(t):.3f}_pl{math.radians(p):.3f}_tv0_pv0.png"
        for t in (15, 60)
        for p in (0, 90, 270)
    ]
    with pytest.raises(CaptureError, match="as in radians; give the angles in degrees"):
        read(images(tmp_path, names))
    assert len(read(images(tmp_path / "b", ["tl1_pl2_tv0_pv0.png", "tl1_pl3_tv0_pv0.png"]))) == 2


@pytest.mark.parametrize("other", [".tif", ".jpg"])
def test_twins_are_refused_or_left_out_with_a_note(tmp_path: Path, other: str) -> None:
    names = [f"tl30_pl{60 * i}_tv0_pv0.png" for i in range(6)]
    folder = images(tmp_path / "x", [*names, f"tl30_pl0_tv0_pv0{other}"])
    with pytest.raises(CaptureError, match="1 images are there more than once, such as"):
        read(folder)
    btf = read(folder, skip_bad=True)
    assert (len(btf), btf.info()["duplicate_pairs"]) == (6, 0)
    assert "1 images were left out, because they are there in another format" in btf.notes[0]
    assert btf.frame(0)[0, 0, 0] == 1


def test_two_captures_below_one_folder_are_not_merged(tmp_path: Path) -> None:
    names = [f"tl30_pl{60 * i}_tv0_pv0.png" for i in range(6)]
    folder = images(tmp_path, [f"{part}/{name}" for part in ("left", "right") for name in names])
    with pytest.raises(CaptureError, match='"left", "right" hold images of the same angles'):
        read(folder)
    assert len(read(folder / "left")) == 6
    with pytest.raises(CaptureError, match="hold images of the same angles"):
        read(folder, pattern=r"tl(?P<tl>\d+)_pl(?P<pl>\d+)")


NUMBER = st.from_regex(r"[-+]{0,2}[0-9]{0,3}([.,_pe°-][0-9]{1,2})?", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBER, min_size=4, max_size=4), st.sampled_from(["_", "-", " ", ""]))
def test_any_number_is_read_as_it_stands_or_refused(numbers: list[str], between: str) -> None:
    name = between.join(f"{k}{n}" for k, n in zip(("tl", "pl", "tv", "pv"), numbers, strict=True))
    said = ""
    try:
        found = parse_angles(f"{name}.png")
    except AnglesError as error:
        said = str(error)
        found = None
    assert "\n" not in said
    if found is not None:
        # The last number may be followed by an index, which the names of all images tell.
        whole = [number.replace(",", ".").lstrip("_") for number in numbers[:3]]
        np.testing.assert_allclose(found[:3], [float(number) for number in whole])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(NUMBER, min_size=2, max_size=2), min_size=1, max_size=4))
def test_any_folder_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    images(folder, {f"tv0_pv0_tl{t}_pl{p}.png" for t, p in numbers})
    said = ""
    try:
        assert len(read(folder)) >= 1
    except BTFError as error:
        said = str(error)
    assert "\n" not in said
