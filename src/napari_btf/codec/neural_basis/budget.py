"""How finely latents are quantised: by a number of latents, a size of the file, or a quality.

One step for all latents, and the components kept are those that are worth their bytes: a
component costs a row of the decoder's table, and saves squared error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.fitting.settings import FREE_BYTES, Budget
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_btf.codec.latents.transformed import CodedLatents, Spectrum

__all__ = ["Content", "check_room", "quantise", "sketch"]

#: Share of the error of PCA that quantising may add when only latents are asked for.
_SHARE = 0.001
#: Least mean squared error that is worth bytes: a tenth of what 8 bits round away.
_LEAST_ERROR = 1 / (12 * 255**2 * 10)
#: Squared error that a byte saves at one step, in steps squared: 8 bits of 6.02 dB each, of the
#: step^2 / 12 that a uniform quantiser leaves.
_WORTH = 8 * 2 * np.log(2) / 12
_CLOSE = 0.985
#: Files take about so many times what is estimated of them.
_USUAL_RATIO = 1.08
_MOST_TRIES = 6


@dataclass(frozen=True)
class Content:
    """What the latents are of.

    Parameters
    ----------
    values : int
        Captured values, H * W * N * C.
    beyond : float
        Sum of squared errors that even all latents leave.
    peak : float
        The largest fitted value.
    fixed_bytes, latent_bytes : int
        Of the file: without any latent, and the decoder's for each.
    """

    values: int
    beyond: float
    peak: float
    fixed_bytes: int
    latent_bytes: int


def check_room(bytes_per_texel: float, texels: int, least: int) -> None:
    """Refuse bytes that do not even hold the decoder, which takes at least ``least``.

    Raises
    ------
    UsageError
    """
    if least > bytes_per_texel * texels + FREE_BYTES:
        raise UsageError(
            None,
            f"{bytes_per_texel:g} bytes per texel are less than the decoder takes",
            f"allow at least {(least - FREE_BYTES) / texels + 0.1:.1f}",
        )


def quantise(spectrum: Spectrum, content: Content, budget: Budget) -> CodedLatents:
    """Quantise and compress latents within a budget.

    Raises
    ------
    UsageError
        If the budget cannot be met.
    """
    if budget.bytes_per_texel is not None:
        return _by_bytes(spectrum, content, budget.bytes_per_texel)
    if budget.target_psnr is not None:
        return _by_quality(spectrum, content, budget.target_psnr)
    return spectrum.code(_finest(spectrum, content), len(spectrum.planes))


def sketch(spectrum: Spectrum, content: Content, budget: Budget) -> tuple[float, int]:
    """Step and number of latents that are about right for a budget; nothing is coded.

    A file of them takes some percent less or more.

    Raises
    ------
    UsageError
        If the budget cannot be met.
    """
    if budget.bytes_per_texel is not None:
        limit = _limit(spectrum, content, budget.bytes_per_texel)
        step = _step_of_size(spectrum, content, limit, _USUAL_RATIO)
    elif budget.target_psnr is not None:
        step = _step_of_error(spectrum, content, _allowed(spectrum, content, budget.target_psnr))
    else:
        return _finest(spectrum, content), len(spectrum.planes)
    return step, _kept(spectrum, content, step)[0]


def _finest(spectrum: Spectrum, content: Content) -> float:
    """The step that hardly adds to the error of the latents as they are."""
    error = max(_SHARE * content.beyond, _LEAST_ERROR * content.peak**2 * content.values)
    return float(np.sqrt(12 * error / (spectrum.texels * len(spectrum.planes))))


def _worthwhile(saved: NDArray[np.float64], step: float, latent_bytes: int, texels: int) -> int:
    """How many latents to keep, whose squared error saved is ``saved``."""
    # A latent that is less than rounding is worth nothing, whatever the step.
    least = max(_WORTH * step**2 * latent_bytes, 1e-9 * texels)
    worth = np.flatnonzero(saved > least)
    return int(worth[-1]) + 1 if len(worth) else 1


def _kept(spectrum: Spectrum, content: Content, step: float) -> tuple[int, float, float]:
    """Latents worth keeping at a step, their estimated bytes, and the squared error left."""
    size, error = spectrum.estimate(step)
    count = _worthwhile(spectrum.energy - error, step, content.latent_bytes, spectrum.texels)
    left = content.beyond + float(spectrum.energy[count:].sum() + error[:count].sum())
    return count, float(size[:count].sum()), left


def _bisect(is_too_fine: Callable[[float], bool], spectrum: Spectrum) -> float:
    """The finest step that is not too fine, to a percent."""
    high = 4.0 * float(np.abs(spectrum.planes).max(initial=0.0)) + 1e-6
    low = high * 1e-9
    while high > 1.01 * low:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if is_too_fine(middle) else (low, middle)
    return high


def _limit(spectrum: Spectrum, content: Content, bytes_per_texel: float) -> float:
    """Bytes for latents, and for what each adds to the decoder."""
    check_room(bytes_per_texel, spectrum.texels, content.fixed_bytes + content.latent_bytes)
    return bytes_per_texel * spectrum.texels + FREE_BYTES - content.fixed_bytes


def _step_of_size(spectrum: Spectrum, content: Content, limit: float, ratio: float) -> float:
    """The finest useful step that meets a limit, if files are ``ratio`` times the estimate."""

    def is_too_fine(step: float) -> bool:
        count, size, _ = _kept(spectrum, content, step)
        return size * ratio + count * content.latent_bytes > limit

    return max(_bisect(is_too_fine, spectrum), _finest(spectrum, content))


def _by_bytes(spectrum: Spectrum, content: Content, bytes_per_texel: float) -> CodedLatents:
    limit = _limit(spectrum, content, bytes_per_texel)
    ratio, best, most = 1.0, None, 0
    for _ in range(_MOST_TRIES):
        step = _step_of_size(spectrum, content, limit, ratio)
        count, estimated, _ = _kept(spectrum, content, step)
        coded = spectrum.code(step, count)
        size = coded.nbytes + count * content.latent_bytes
        if most < size <= limit:
            best, most = coded, size
            if size >= _CLOSE * limit or step == _finest(spectrum, content):
                break
        # A little more than what was found, so that the next try ends below the limit.
        ratio = 1.003 * coded.nbytes / max(1.0, estimated)
    if best is None:
        raise UsageError(
            None, f"{bytes_per_texel:g} bytes per texel cannot be met", "allow some more"
        )
    return best


def _allowed(spectrum: Spectrum, content: Content, target: float) -> float:
    """Sum of squared errors that a quality allows."""
    wanted = content.values * content.peak**2 * 10 ** (-target / 10)
    if content.beyond > 0.98 * wanted:
        reached = -10 * np.log10(content.beyond / content.values / content.peak**2)
        raise UsageError(
            None,
            f"{target:g} dB need more than {len(spectrum.planes)} latents, which reach "
            f"{reached:.1f} dB",
            "ask for less",
        )
    return float(wanted)


def _step_of_error(spectrum: Spectrum, content: Content, allowed: float) -> float:
    """The coarsest step that leaves no more error."""
    # The finest step that is still too coarse; one percent finer reaches it.
    return _bisect(lambda step: _kept(spectrum, content, step)[2] < allowed, spectrum) / 1.01


def _by_quality(spectrum: Spectrum, content: Content, target: float) -> CodedLatents:
    allowed = wanted = _allowed(spectrum, content, target)
    for _ in range(_MOST_TRIES):
        step = _step_of_error(spectrum, content, allowed)
        count = _kept(spectrum, content, step)[0]
        left = float(spectrum.distortion(step)[:count].sum() + spectrum.energy[count:].sum())
        if content.beyond + left <= wanted:
            break
        allowed *= 0.998 * wanted / (content.beyond + left)
    return spectrum.code(step, count)
