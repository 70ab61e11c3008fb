"""Choose how finely the latents of a trained parallax model are quantised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_btf.errors import UsageError
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.parallax.model import ParallaxBTF
    from napari_btf.codec.parallax.surface import Surface

__all__ = ["of_quality", "within"]

#: Numbers of levels of each latent over its range. With 64 the error hardly grows.
_LEVELS = (256, 128, 96, 64, 48, 32, 24, 16)
#: Numbers of levels that may suffice for a quality.
_COARSE_LEVELS = (*_LEVELS, 12, 8, 6, 4, 3, 2)
#: Number of observations that levels are tried on; the chosen one is checked on all.
_TRIED = 256


def within(surface: Surface, most_bytes: int | None) -> ParallaxBTF:
    """Return the model with the finest latents that a file size allows.

    Raises
    ------
    UsageError
        If even the coarsest take more.
    """
    for levels in _LEVELS:
        model = surface.model(levels)
        if most_bytes is None or model.file_size <= most_bytes:
            return model
    raise UsageError(
        None, f"the model takes {model.file_size:,} bytes at least", "allow more bytes per texel"
    )


def of_quality(
    surface: Surface, target_psnr: float, seed: int
) -> Generator[Progress, None, ParallaxBTF]:
    """Quantise the latents as coarsely as possible while the PSNR stays above a target.

    The PSNR is that over the captured directions. If even the finest latents miss the target, they
    are taken.

    Yields
    ------
    Progress
        Phase "quantise".
    """
    btf = surface.btf
    some = np.random.default_rng(seed).permutation(len(btf))[:_TRIED]
    # The coarsest levels that reach the target lie at `low` or later, and before `high`.
    low, high, step = 0, len(_COARSE_LEVELS), 0
    while high - low > 1:
        yield Progress("quantise", step, step + 1)
        middle, step = (low + high) // 2, step + 1
        is_enough = _psnr(surface.model(_COARSE_LEVELS[middle]), btf, np.sort(some)) >= target_psnr
        low, high = (middle, high) if is_enough else (low, middle)
    everything = np.arange(len(btf))
    while True:
        yield Progress("quantise", step, step + 1)
        model = surface.model(_COARSE_LEVELS[low])
        if not low or _psnr(model, btf, everything) >= target_psnr:
            break
        low, step = low - 1, step + 1
    yield Progress("quantise", step + 1, step + 1)
    return model


def _psnr(model: ParallaxBTF, btf: BTF, observations: NDArray[np.intp]) -> float:
    """Return the PSNR in dB over observations, in the fitted domain.

    The observations are read one at a time.
    """
    total, peak, values = 0.0, 0.0, model.values
    shaded = model.shaded(btf.light[observations], btf.view[observations])
    for i, image in zip(observations, shaded, strict=True):
        captured = values.encode(btf.frame(int(i)))
        peak = max(peak, float(captured.max()))
        error = np.clip(image, 0.0, values.largest_fitted) - captured
        total += float(np.vdot(error, error)) / error.size
    peak = values.peak(peak)
    return float(10 * np.log10(peak**2 * len(observations) / max(total, 1e-20)))
