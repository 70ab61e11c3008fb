from __future__ import annotations

import numpy as np
import pytest

from napari_btf.values import ValueScale, to_display


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_come_back(dtype: type) -> None:
    stored = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    scale = ValueScale(np.dtype(dtype))
    fitted = scale.encode(stored)
    assert (fitted.dtype, fitted[0], fitted[-1]) == (np.float32, 0, pytest.approx(1))
    np.testing.assert_array_equal(scale.store(scale.decode(fitted)), stored)


def test_floats_are_fitted_as_logarithms_and_have_no_upper_end() -> None:
    stored = np.array([0, 0.5, 1, 300], np.float32)
    scale = ValueScale(np.dtype(np.float32))
    fitted = scale.encode(stored)
    np.testing.assert_allclose(fitted, np.log1p(stored), rtol=1e-6)
    np.testing.assert_allclose(scale.store(scale.decode(fitted)), stored, rtol=1e-5)
    assert scale.encode(np.array([-1.0]))[0] == 0


def test_what_a_decoder_overshoots_is_clipped() -> None:
    assert ValueScale(np.dtype(np.uint8)).decode(np.float32([-0.1, 1.2])).tolist() == [0, 1]
    assert ValueScale(np.dtype(np.float32)).decode(np.float32([-0.1]))[0] == 0


def test_radiance_is_shown_as_srgb_with_one_as_white() -> None:
    shown = to_display(np.array([-1, 0, 0.002, 0.2140, 1, 50, np.inf, np.nan], np.float16))
    assert shown.tolist() == [0, 0, 7, 127, 255, 255, 255, 0]
    integers = np.array([1, 2], np.uint16)
    assert to_display(integers) is integers
