"""Stacks whose metadata name their axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_btf.btf import BTF
from napari_btf.errors import CaptureError
from napari_btf.formats import read

Make = Callable[..., BTF]


def stack(folder: Path, pixels: np.ndarray, count: int, **options: object) -> Path:
    """A stack with a file of angles for ``count`` images."""
    path = folder / "cloth.tif"
    tifffile.imwrite(path, np.ascontiguousarray(pixels), **options)
    lines = ["theta_l,phi_l", *(f"{2 * i},0" for i in range(count))]
    path.with_suffix(".csv").write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("axes", "options"),
    [
        ("TCYX", {"imagej": True}),
        ("ZCYX", {"imagej": True}),
        ("TCYX", {"ome": True}),
        ("TYXS", {"imagej": True}),
        ("TYXS", {"ome": True, "photometric": "rgb"}),
        ("TCYX", {"photometric": "minisblack"}),
    ],
)
def test_channels_are_found_where_the_file_says(
    make_btf: Make, tmp_path: Path, axes: str, options: dict[str, object]
) -> None:
    frames = np.asarray(make_btf(views=1, lights=10).frames)
    pixels = np.moveaxis(frames, -1, 1) if "C" in axes else frames
    btf = read(stack(tmp_path, pixels, len(frames), metadata={"axes": axes}, **options))
    np.testing.assert_array_equal(np.stack(list(btf.iter_frames())), frames)


def test_channels_with_angles_of_their_own_are_images(make_btf: Make, tmp_path: Path) -> None:
    frames = np.asarray(make_btf(views=1, lights=10).frames)
    pixels = np.moveaxis(frames, -1, 1)
    btf = read(stack(tmp_path, pixels, 30, imagej=True, metadata={"axes": "TCYX"}))
    assert btf.channels == 1
    np.testing.assert_array_equal(btf.frame(4)[..., 0], pixels[1, 1])


def test_channels_apart_from_the_image_are_refused(make_btf: Make, tmp_path: Path) -> None:
    frames = np.asarray(make_btf(views=1, lights=10).frames)[:3]
    pixels = np.transpose(frames, (3, 0, 1, 2))
    path = stack(tmp_path, pixels, 3, ome=True, metadata={"axes": "CTYX"}, photometric="minisblack")
    with pytest.raises(CaptureError, match="its channels lie apart"):
        read(path)
