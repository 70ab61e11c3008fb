from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.progress import finish


def test_one_image_a_pair_in_order(make_btf: Callable[..., BTF]) -> None:
    """More pairs than are looked up at once."""
    btf = make_btf(lights=20)
    model = finish(fit(btf, settings=FitSettings(4, NetworkSettings(epochs=5))))
    light, view = np.tile(btf.light, (5, 1))[:270], np.tile(btf.view, (5, 1))[:270]
    images = list(model.shaded(light, view))
    assert len(images) == 270
    for i in (0, 37, 255, 256, 269):
        expected = model.decode(light[i], view[i])
        np.testing.assert_allclose(np.clip(images[i], 0, 1), expected, atol=1e-5)
