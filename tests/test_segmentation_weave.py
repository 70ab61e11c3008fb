"""The materials of a printed cloth whose print is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, fit
from napari_btf.errors import UsageError
from napari_btf.formats import read
from napari_btf.progress import finish
from napari_btf.segmentation import segment

NAMES = ("cream yarn", "disc", "ring", "band", "blue yarn")


@pytest.fixture(scope="module")
def weave(data_dir: Path) -> BTF:
    btf = read(data_dir / "weave" / "grid64")
    return btf.select(np.flatnonzero(btf.view[:, 2] > 0.9999))


@pytest.fixture(scope="module")
def weave_model(weave: BTF) -> CompressedBTF:
    return finish(fit(weave, settings=FitSettings(latents=16)))


def print_mask(btf: BTF) -> NDArray[np.intp]:
    """The print, in the order of `NAMES`.

    Its shapes were read off the frontal photograph at 256 x 256: a disc, a ring around it, and a
    diagonal band. What is not printed is one of two yarns, of which one is bluer than red there.
    """
    y, x = (np.mgrid[: btf.height, : btf.width] + 0.5) * (256 / btf.height)
    radius = np.hypot(x - 87, y - 97)
    photograph = btf.frame(int(np.argmax(btf.light[:, 2]))).astype(float)
    mask = np.where(photograph[..., 2] > photograph[..., 0] + 13, 4, 0)
    mask[((y - x) % 256 > 143.5) & ((y - x) % 256 < 181)] = 3
    mask[(radius > 62) & (radius < 76)] = 2
    mask[radius < 49] = 1
    return mask


def test_the_print_and_the_yarns_come_apart(weave: BTF, weave_model: CompressedBTF) -> None:
    mask = print_mask(weave)
    found = finish(segment(weave_model, k=5, by="chromaticity")).labels
    agreement = adjusted_rand_score(mask.ravel(), found.ravel())
    print(f"adjusted Rand index of print and yarns: {agreement:.3f}")
    # Which of the materials covers most of each shape.
    material = [np.bincount(found[mask == i]).argmax() for i in range(5)]
    assert len(set(material)) == 5
    for i, name in enumerate(NAMES):
        both = (mask == i) & (found == material[i])
        either = (mask == i) | (found == material[i])
        print(f"{name}: {both.sum() / either.sum():.2f} of what is one or the other")
        assert both.sum() > 0.6 * either.sum(), name
    # The two yarns together are the ground.
    ground = np.where(found == material[4], material[0], found)
    as_printed = adjusted_rand_score(np.where(mask == 4, 0, mask).ravel(), ground.ravel())
    print(f"adjusted Rand index of the print, its ground one material: {as_printed:.3f}")
    assert agreement >= 0.6
    assert as_printed >= 0.6


def test_the_same_seed_gives_the_same_materials(weave_model: CompressedBTF) -> None:
    one, other = (finish(segment(weave_model, k=5, by="chromaticity", seed=3)) for _ in range(2))
    np.testing.assert_array_equal(one.labels, other.labels)


def test_grey_surfaces_and_plain_latents_have_no_colour(
    weave_model: CompressedBTF, make_btf: Callable[..., BTF]
) -> None:
    grey = finish(fit(make_btf(channels=1), settings=FitSettings(latents=3)))
    with pytest.raises(UsageError, match="no colour to segment by"):
        finish(segment(grey, by="chromaticity"))
    with pytest.raises(UsageError, match="no colour to segment by"):
        finish(segment(weave_model.latent_map, by="chromaticity"))
    with pytest.raises(UsageError, match="latents or chromaticity"):
        finish(segment(weave_model, by="hue"))  # type: ignore[arg-type]
