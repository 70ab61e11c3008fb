"""Colours of texels on a map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF
from napari_btf.embedding.colours import (
    Labels,
    Scale,
    centre_distance,
    label_colours,
    latent_values,
    mean_colours,
    named_regions,
    positions,
)
from napari_btf.errors import UsageError
from napari_btf.texels.sampling import all_texels
from small_models import SmallModel

Make = Callable[..., BTF]


@pytest.fixture
def model(small_model: SmallModel) -> CompressedBTF:
    return small_model("neural-basis")


def test_mean_colours_are_those_of_the_capture(make_btf: Make, model: CompressedBTF) -> None:
    btf = make_btf(views=1, lights=20)
    rgb, legend = mean_colours(model)
    assert (rgb.shape, rgb.dtype, legend) == ((192, 3), np.uint8, None)
    captured = btf.frames.astype(float).mean(axis=0).reshape(-1, 3)
    # Some of the lights stand for all, from steep to grazing ones as often as they are captured.
    assert np.corrcoef(rgb.ravel(), captured.ravel())[0, 1] > 0.97
    assert abs(rgb.mean() - captured.mean()) < 6
    some = [(3, 5), (11, 0)]
    np.testing.assert_array_equal(mean_colours(model, some).rgb, rgb[[3 * 16 + 5, 11 * 16]])


def test_mean_colours_are_a_mean_over_lights(make_btf: Make) -> None:
    from napari_btf.codec import FitSettings, fit
    from napari_btf.progress import finish

    btf = make_btf(views=1, lights=8)
    model = finish(fit(btf, settings=FitSettings(4)))
    decoded = [model.decode(light, view) for light, view in zip(btf.light, btf.view, strict=True)]
    expected = 255 * np.mean(decoded, axis=0).reshape(-1, 3)
    np.testing.assert_allclose(mean_colours(model).rgb, expected, atol=1)


def test_distance_to_the_centre() -> None:
    rgb, legend = centre_distance([(4, 8), (0, 0), (8, 16), (4, 16)], 9, 17)
    assert legend == Scale("distance to the centre, texels", 0.0, np.hypot(4, 8), "inferno")
    np.testing.assert_array_equal(rgb[0], (0, 0, 3))
    np.testing.assert_array_equal(rgb[1], (252, 254, 164))
    np.testing.assert_array_equal(rgb[2], rgb[1])
    lightness = rgb.astype(int).sum(axis=1)
    assert lightness[0] < lightness[3] < lightness[1]


def test_positions_have_a_colour_each() -> None:
    yx = all_texels(40, 30)
    rgb = positions(yx, 40, 30).rgb.astype(int)
    image = rgb.reshape(40, 30, 3)
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_array_equal(
        corners, [(48, 96, 220), (40, 180, 90), (220, 50, 70), (250, 220, 60)]
    )
    np.testing.assert_allclose(image[20, 15], corners.mean(axis=0), atol=8)
    # Neighbours are alike.
    assert np.abs(np.diff(image, axis=0)).max() <= 8
    assert np.abs(np.diff(image, axis=1)).max() <= 8
    assert len(np.unique(rgb, axis=0)) > 1000
    np.testing.assert_array_equal(positions([(0, 0)], 1, 1).rgb, [(48, 96, 220)])


def test_one_latent(model: CompressedBTF) -> None:
    latents = np.zeros((10, 10, 6), np.float32)
    latents[..., 2] = np.arange(100).reshape(10, 10)
    surface = model.with_latents(latents)
    rgb, legend = latent_values(surface, 2)
    assert isinstance(legend, Scale)
    assert (legend.name, legend.colormap) == ("latent 2", "viridis")
    assert (legend.low, legend.high) == pytest.approx((0.99, 98.01))
    np.testing.assert_array_equal(rgb[[0, 99]], [(68, 1, 84), (253, 231, 36)])
    np.testing.assert_array_equal(
        latent_values(surface, 2, [(9, 9), (5, 0), (0, 0)]).rgb[[0, 2]], rgb[[99, 0]]
    )
    with pytest.raises(UsageError, match="no latent 6; use 0 to 5"):
        latent_values(surface, 6)
    # One that is the same everywhere has a colour, too.
    assert len(np.unique(latent_values(surface, 0).rgb, axis=0)) == 1


def test_labels_and_regions() -> None:
    rgb, legend = label_colours([0, 2, 1, 2, 3])
    assert isinstance(legend, Labels)
    assert legend.names == ("1", "2", "3")
    np.testing.assert_array_equal(rgb, [(128, 128, 128), *legend.rgb[[1, 0, 1, 2]]])
    names = ["ink", "", "cloth", "ink"]
    named, regions = named_regions(names)
    assert isinstance(regions, Labels)
    assert regions.names == ("ink", "cloth")
    np.testing.assert_array_equal(named, rgb[[2, 0, 1, 2]])
    none, empty = named_regions(["", ""])
    np.testing.assert_array_equal(none, [(128, 128, 128)] * 2)
    assert empty is not None
    assert len(empty[0]) == 0


def test_kinds_are_told_apart() -> None:
    _, legend = label_colours([12])
    assert isinstance(legend, Labels)
    colours = np.array([*legend.rgb, (128, 128, 128)], float)
    apart = np.linalg.norm(colours[:, None] - colours, axis=2)
    assert apart[~np.eye(len(colours), dtype=bool)].min() > 40
