"""Parts of the surface: the same texels as in the whole image, whatever the codec."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.codec.decoding.part import Part
from napari_btf.codec.parallax.surface import Surface
from napari_btf.errors import UsageError
from napari_btf.progress import finish

Make = Callable[..., BTF]
Build = Callable[[BTF], CompressedBTF]


def trained(codec: str) -> Build:
    def build(btf: BTF) -> CompressedBTF:
        settings = FitSettings(5, NetworkSettings(epochs=1), codec=codec)
        return finish(fit(btf, settings=settings))

    return build


def random_parallax(periodic: bool, depth_latents: int, light_latents: int) -> Build:
    """A parallax model that was not trained: large latents, so that rays land texels away."""

    def build(btf: BTF) -> CompressedBTF:
        surface = Surface(btf, 5, depth_latents, light_latents, 16, periodic, "cpu", seed=3)
        for latents in surface.latents:
            latents.detach().mul_(20.0)
        return surface.model()

    return build


MODELS = {
    "neural-basis": trained("neural-basis"),
    "abrdf-conv": trained("abrdf-conv"),
    "mlp": trained("mlp"),
    "parallax, periodic": random_parallax(True, 4, 3),
    "parallax, clamped": random_parallax(False, 4, 3),
    "parallax, no light latents": random_parallax(True, 4, 0),
    "parallax, no depth": random_parallax(False, 0, 3),
}
HEIGHT, WIDTH = 70, 66

PARTS = {
    "whole": Part.of(HEIGHT, WIDTH),
    "rectangle": Part.of(HEIGHT, WIDTH, slice(3, 40), slice(20, None)),
    "every second": Part.of(HEIGHT, WIDTH, step=2),
    "every seventh of the last rows": Part.of(HEIGHT, WIDTH, slice(-30, None), slice(5, 60), 7),
    "last texel": Part.of(HEIGHT, WIDTH, slice(-1, None), slice(-1, None)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_part_is_that_of_the_whole_image(make_btf: Make, name: str) -> None:
    btf = make_btf(views=4, lights=6, height=HEIGHT, width=WIDTH)
    model = MODELS[name](btf)
    pairs = [(0, 0), (3, 0), (3, 2), (5, 2), (5, 0)]
    lights = np.stack([btf.light[light] for light, _ in pairs])
    views = np.stack([btf.view[6 * view] for _, view in pairs])
    fresh = copy.deepcopy(model)
    whole = np.stack([fresh.decode(*pair) for pair in zip(lights, views, strict=True)])
    assert np.ptp(whole) > 0.1
    for part in PARTS.values():
        expected = np.stack([part.cut(image) for image in whole])
        # Light moves, view moves, both; one at a time and together.
        for light, view, image in zip(lights, views, expected, strict=True):
            decoded = model.decode(light, view, part)
            assert decoded.shape == (*part.shape, 3)
            np.testing.assert_allclose(decoded, image, rtol=0, atol=1e-6)
        together = np.stack(list(model.shaded_part(lights, views, part)))
        np.testing.assert_allclose(np.clip(together, 0, 1), expected, rtol=0, atol=1e-6)
    # What is kept of one part is not taken for another one.
    for part in (*PARTS.values(), *reversed(PARTS.values())):
        decoded = model.decode(lights[1], views[1], part)
        np.testing.assert_allclose(decoded, part.cut(whole[1]), rtol=0, atol=1e-6)


def test_a_copy_decodes_by_itself(make_btf: Make) -> None:
    btf = make_btf(views=4, lights=6)
    for build in MODELS.values():
        model, part = build(btf), Part.of(12, 16, step=3)
        image = model.decode(btf.light[3], btf.view[6], part)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(other.decode(btf.light[3], btf.view[6], part), image)


def test_codecs_that_know_no_parts(make_btf: Make) -> None:
    """The contract cuts for them."""
    model = MODELS["neural-basis"](make_btf())
    part = Part.of(12, 16, slice(2, 9), None, 2)
    pair = model.light[3:4], model.view[3:4]
    (whole,), (cut,) = model.shaded(*pair), CompressedBTF.shaded_part(model, *pair, part)
    np.testing.assert_array_equal(cut, whole[2:9:2, ::2])


def test_parts_that_are_none() -> None:
    for rows, columns in ((slice(12, 20), None), (slice(5, 5), None), (None, slice(16, None))):
        with pytest.raises(UsageError, match="no texel lies in the chosen rectangle"):
            Part.of(12, 16, rows, columns)
    with pytest.raises(UsageError, match="the step is 0 texels"):
        Part.of(12, 16, step=0)
    with pytest.raises(UsageError, match="go backwards"):
        Part.of(12, 16, slice(None, None, -1))
