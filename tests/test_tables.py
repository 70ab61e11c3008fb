"""Tables as spreadsheets and scripts of all countries write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_btf.directions import vectors_to_angles
from napari_btf.embedding import read_embedding
from napari_btf.errors import BTFError, CaptureError, CoordinatesError, UsageError
from napari_btf.formats import read, recognises
from napari_btf.formats.angles_file import read_angles_file
from napari_btf.relighting.paths import read_path
from napari_btf.texels.coordinates import read_coordinates, read_regions
from napari_btf.training.held_out import read_lights

FORMS = {
    "plain": "theta_l,phi_l\n12.5,30\n60,300.25\n",
    "Excel in German": "Theta_L;Phi_L\r\n12,5;30,0\r\n60,0;300,25\r\n",
    "told": "sep=;\r\ntheta_l;phi_l\r\n12,5;30\r\n60;300,25\r\n",
    "tabs": "theta_l\tphi_l\n12.5\t30\n60\t300.25\n\n\n",
    "tabs and commas": "theta_l\tphi_l\n12,5\t30\n60\t300,25",
    "blanks": "theta_l   phi_l\n  12.5    30\n  60   300.25 \n",
    "bars": "theta_l|phi_l\n12.5|30\n60|300.25\n",
    "quoted": '"theta_l","phi_l"\n"12,5","30"\n"60","300,25"\n',
    "numpy": "# theta_l phi_l\n1.25e+01 3.0e+01\n6.0e+01 3.0025e+02\n",
    "old Macintosh": "theta_l,phi_l\r12.5,30\r60,300.25\r",
    "empty lines": "\n\ntheta_l,phi_l\n\n12.5,30\n,\n60,300.25\n,,\n",
    "units and more": "name; Light theta [°];phi_l (deg)\nä;12,5°;30\nb;60;300,25\n",
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_angles_of_stacks(tmp_path: Path, form: str, encoding: str) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4), np.uint8))
    (tmp_path / "a.csv").write_bytes(FORMS[form].encode(encoding))
    assert recognises(tmp_path / "a.npy")
    theta, phi = vectors_to_angles(read(tmp_path / "a.csv").light)
    np.testing.assert_allclose(theta, [12.5, 60])
    np.testing.assert_allclose(phi % 360, [30, 300.25])


def test_all_tables_are_read_by_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("X;Y;Region\r\n3;1;Löwe\r\n".encode("utf-16"))
    assert read_coordinates(path, 4, 5).tolist() == [[1, 3]]
    assert read_regions(path, 4, 5).names == ("Löwe",)
    path.write_bytes("Light_Theta;light_phi;seconds\r60,5;30;0,5\r60,5;90;2\r".encode("cp1252"))
    assert read_path(path).seconds.tolist() == [0, 1.5]
    path.write_text("tsne_x;tsne_y;image_x;image_y\n1,5;-2,5;3;1\n")
    assert read_embedding(path).points.tolist() == [[1.5, -2.5]]
    for text in ("theta;phi\n12,5;30\n", "12.5 30\n", "12.5, 30 # first\n", "12,5\t30"):
        path.write_bytes(text.encode("utf-16"))
        np.testing.assert_allclose(vectors_to_angles(read_lights(path)), [[12.5], [30]])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("theta_l,phi_l\n12,5,30,0\n", "line 2 is '12,5,30,0', it has more columns than the head"),
        ("theta_l;phi_l\n1.234,5;30\n", "line 2 is '1.234,5,30', expected angles in degrees"),
        ("theta_l;phi_l\n1_0;30\n", "line 2 is '1_0,30', expected angles"),
        ("theta_l;phi_l\n0;30\n\n\n1e999;30\n", "line 5 is .*tl is inf degrees"),
        ("theta_l,phi_l\n0.26,1.57\n1.05,3.14\n0,0\n", "as in radians; give the angles in degrees"),
        ("theta_l [rad],phi_l [rad]\n0,1\n", "line 1 is 'theta_l .rad.,phi_l .rad.'"),
        ("theta_l,phi_l\n" + "9" * 200_000, "line 2 cannot be read"),
        ("theta_l,phi_l\n0,0\n\0\0", "it cannot be read as text"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(CaptureError, match=problem):
        read_angles_file(path)


def test_files_that_are_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 4096)
    with pytest.raises(CaptureError, match=r"a\.csv: it is larger than 64 MiB; expected the head"):
        read_angles_file(path)
    with pytest.raises(CoordinatesError, match="larger than 64 MiB"):
        read_coordinates(path, 2, 2)
    for reader in (read_path, read_lights):
        with pytest.raises(UsageError, match="larger than 64 MiB"):
            reader(path)


def test_a_stack_beside_a_table_of_something_else(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4), np.uint8))
    (tmp_path / "a.csv").write_text("0,0\n30,0\n")
    with pytest.raises(CaptureError, match=r'"a\.csv" beside it does not name angles in its first'):
        read(tmp_path / "a.npy")


CELLS = st.text("0123456789.,;\t|xyθ \"'\r\n#-+enaif\ufeff\0", max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ["theta_l,phi_l\n0,0\n", "x;y\n0;0\n", "", "light_theta\tlight_phi\n", "sep=;\n"]
    ),
    st.lists(CELLS, max_size=6),
    st.sampled_from(ENCODINGS),
)
def test_any_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, start: str, cells: list[str], encoding: str
) -> None:
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_bytes((start + "".join(cells)).encode(encoding, "replace"))
    recognises(path)
    for reader in (
        read_angles_file,
        read_path,
        read_lights,
        read_embedding,
        lambda path: read_regions(path, 3, 3),
    ):
        try:
            reader(path)
        except BTFError as error:
            said = str(error)
        else:
            said = ""
        assert "\n" not in said
