from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings
from napari_btf.errors import UsageError
from napari_btf.training.outlook import duration, outlook, size

Make = Callable[..., BTF]


def test_a_small_capture_is_kept_in_memory(make_btf: Make) -> None:
    btf = make_btf(height=100, width=100)
    found = outlook(btf, FitSettings())
    assert (found.codec, found.images, found.nbytes) == ("neural-basis", 30, 900_000)
    assert str(found) == (
        "Reads 30 images (900 kB), keeps them in memory; neural-basis, about 22 s. "
        "File up to 146 kB (14.6 bytes a texel, 6.55 of them decoder)."
    )


def test_a_large_capture_is_kept_in_part() -> None:
    class Elsewhere:
        shape, dtype = (40, 4000, 4000, 3), np.dtype(np.uint8)

        def __getitem__(self, i: int) -> np.ndarray:
            raise AssertionError("nothing is read")

    up = np.tile([0.0, 0.0, 1.0], (40, 1))
    btf = BTF(Elsewhere(), up, up)  # type: ignore[arg-type]
    found = str(outlook(btf, FitSettings()))
    assert found.startswith("Reads 40 images (1.92 GB), keeps 537 MB of them in memory at a time;")
    # 16 latents for each of 16 million texels, and their codes.
    assert "takes up to 4.35 GB of memory. File up to 128 MB (8 bytes a texel)." in found


def test_the_parallax_codec_takes_the_seconds_it_is_given(make_btf: Make) -> None:
    settings = FitSettings(12, codec="parallax", network=NetworkSettings(seconds=600))
    found = outlook(make_btf(), settings)
    assert found.seconds == pytest.approx(602, abs=1)
    assert str(found).endswith("parallax, about 10 min.")
    by_itself = outlook(make_btf(), FitSettings(12, codec="parallax"))
    assert by_itself.seconds is not None
    assert 60 < by_itself.seconds < 600
    passes = dataclasses.replace(settings, network=NetworkSettings(epochs=1))
    assert (outlook(make_btf(), passes).seconds or 60) < 5


def test_a_length_that_cannot_be_told_is_not_told(make_btf: Make) -> None:
    assert str(outlook(make_btf(), FitSettings(8, codec="mlp"))).endswith("in memory; mlp.")


@pytest.mark.parametrize("codec", ["abrdf-conv", "mlp"])
def test_a_size_that_cannot_be_had_is_refused(make_btf: Make, codec: str) -> None:
    with pytest.raises(UsageError, match="not for"):
        outlook(make_btf(), FitSettings(target_psnr=30.0, codec=codec))


def test_words() -> None:
    assert [duration(s) for s in (0.2, 89, 91, 7200)] == ["1 s", "89 s", "2 min", "2.0 h"]
    assert [size(n) for n in (1500, 16e6, 2.5e9)] == ["1.5 kB", "16 MB", "2.5 GB"]
