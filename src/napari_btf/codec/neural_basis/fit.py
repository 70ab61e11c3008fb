"""Fit the neural-basis codec: PCA over texels, then its basis continued over directions.

The codec is linear in the latents. For the captured directions the best linear codec is PCA. So the
encoder is the projection onto principal components, and the decoder has their values at the
captured directions. Between these directions a spline continues the components. Where the gaps
between captured directions are wide, a network imagines pairs in them, and the spline passes
through these pairs as well.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.checkpoint import Checkpoint
from napari_btf.codec.fitting.checks import check_capture, texels_that_fit
from napari_btf.codec.fitting.processes import world
from napari_btf.codec.fitting.settings import FREE_BYTES, MEMORY, Budget
from napari_btf.codec.latents.transformed import SKETCH_SAMPLE, FreeLatents, Spectrum
from napari_btf.codec.neural_basis.budget import Content, check_room, quantise, sketch
from napari_btf.codec.neural_basis.imagination.imagine import (
    FEWEST_PAIRS,
    MOST_PAIRS,
    Known,
    imagine,
)
from napari_btf.codec.neural_basis.model import NeuralBasisBTF
from napari_btf.codec.neural_basis.shared_projection import Projected, principal_table, project
from napari_btf.codec.writing import direction_bytes
from napari_btf.errors import UsageError
from napari_btf.interpolation.continuation import ContinuedBasis, continue_basis
from napari_btf.progress import Job, Progress, with_preview
from napari_btf.texels.sampling import all_texels, random_texels

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec.fitting.settings import NetworkSettings
    from napari_btf.codec.latents.transformed import CodedLatents

__all__ = [
    "candidate_latents",
    "check_neural_basis",
    "fit_neural_basis",
    "pairs_to_imagine",
]

#: Bytes of memory for each value of a latent map: when a size or a quality is asked for, it has a
#: transform of its own size.
_LATENT_VALUE_BYTES = 8
#: Largest number of latents for a size: 512 x 512 texels then take ten milliseconds to decode.
MOST_LATENTS = 72
#: Largest number of latents for a quality.
MOST_FOR_QUALITY = 256
#: Smallest and largest number of imagined pairs, and the share of a file that their rows may take.
_FEWEST_IMAGINED, _MOST_IMAGINED, _IMAGINED_SHARE = 18, 64, 0.08
#: Expected bytes per texel of a file for a quality.
_USUAL_BYTES = 4.0
#: Bytes of names, shapes and the description in a file.
_HEADER_BYTES = 2048


def fit_neural_basis(
    btf: BTF,
    coords: ArrayLike | None,
    budget: Budget,
    training: NetworkSettings,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint | None = None,
) -> Job[NeuralBasisBTF]:
    """Compress a BTF with the neural-basis codec.

    Parameters
    ----------
    btf : BTF
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels to learn from; all by default. The whole image is
        encoded in any case. If there are more than `texels_that_fit`, a random choice.
    budget : Budget
        What the model may cost.
    training : NetworkSettings
        Length, device and seed of the training of the network that imagines pairs in the gaps
        between those that were captured (`napari_btf.codec.neural_basis.imagination.imagine`).
    stop : callable, optional
        Asked often; true ends the training early.
    checkpoint : Checkpoint, optional
        The checkpoint of the training of that network, opened; it continues from the state in it.

    Yields
    ------
    Progress
        Phases "read", "basis", "encode", "train", "imagine", "quantise".

    Returns
    -------
    NeuralBasisBTF

    Raises
    ------
    UsageError
        If a setting does not fit the capture.
    CaptureError
        If an image cannot be read.
    """
    check_neural_basis(btf, coords, budget, training.memory)
    notes = checkpoint or Checkpoint()
    yx = all_texels(btf.height, btf.width) if coords is None else np.asarray(coords)
    yx = random_texels(yx, texels_that_fit(btf, training.memory), training.seed)
    here = world()
    count = budget.latents or candidate_latents(btf, len(yx), budget, training.memory)
    table, importance = yield from principal_table(here, btf, yx, count, training.seed)
    basis = yield from continue_basis(btf, table, importance)
    projected = yield from project(here, btf, table)
    if not here.is_first:
        # The first process does the rest alone.
        return here.first(None)
    # A preview: the model without imagined pairs, made once and only if someone asks for it.
    first = cache(partial(_sketched, btf, basis, projected, budget))
    latents = basis.samples.shape[1] - 1
    pairs = pairs_to_imagine(btf, len(basis.pairs), latents, budget)
    if pairs:
        learned = np.ravel_multi_index((yx[:, 0], yx[:, 1]), (btf.height, btf.width))
        imagined = _with_imagined(btf, basis, projected, learned, pairs, training, stop, notes)
        basis, projected = yield from with_preview(imagined, first)
    job = _quantised(btf, basis, projected, budget)
    model = yield from (job if pairs else with_preview(job, first))
    return here.first(model)


def _with_imagined(
    btf: BTF,
    basis: ContinuedBasis,
    projected: Projected,
    learned: NDArray[np.intp],
    pairs: int,
    training: NetworkSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, tuple[ContinuedBasis, Projected]]:
    """Return basis and latents with imagined pairs, or unchanged where these do not help."""
    light, view = btf.light[basis.pairs], btf.view[basis.pairs]
    known = Known(light, view, basis.samples, basis.continuation)
    latents, total, peak = projected
    flat = latents.reshape(-1, latents.shape[2])
    found = yield from imagine(known, flat, learned, pairs, training, stop, checkpoint)
    if found is None:
        return basis, projected
    basis = basis._replace(samples=found.samples, imagined=(found.light, found.view))
    # The error at imagined pairs counts as well, so a target quality is rather exceeded.
    return basis, Projected(found.latents.reshape(latents.shape), total + found.energy, peak)


def _sketched(
    btf: BTF, basis: ContinuedBasis, projected: Projected, budget: Budget
) -> NeuralBasisBTF:
    """Return a model that is about as good as the budget allows, for a preview.

    Nothing is coded until the model is saved.
    """
    spectrum, content = Spectrum(projected.latents, is_sketch=True), _content(btf, projected, basis)
    if spectrum.texels <= SKETCH_SAMPLE:
        # Few coefficients say little about their entropy, and are coded quickly anyway.
        return _model(btf, basis, quantise(spectrum, content, budget))
    step, count = sketch(spectrum, content, budget)
    return _model(btf, basis, FreeLatents(spectrum.rounded(step, count), step))


def _quantised(
    btf: BTF, basis: ContinuedBasis, projected: Projected, budget: Budget
) -> Generator[Progress, None, NeuralBasisBTF]:
    """Quantise the latents within the budget, and return the model."""
    yield Progress("quantise", 0, 1)
    spectrum = Spectrum(projected.latents)
    coded = quantise(spectrum, _content(btf, projected, basis), budget)
    model = _model(btf, basis, coded)
    yield Progress("quantise", 1, 1)
    return model


def _content(btf: BTF, projected: Projected, basis: ContinuedBasis) -> Content:
    """Return what a file of these latents contains besides them."""
    latents, total, peak = projected
    # The captured and the imagined pairs.
    pairs = len(basis.samples)
    return Content(
        values=btf.height * btf.width * len(btf) * btf.channels,
        beyond=max(0.0, total - float(np.sum(np.square(latents), dtype=np.float64))),
        peak=btf.values.peak(peak),
        fixed_bytes=_fixed_bytes(btf, pairs),
        latent_bytes=_latent_bytes(btf, pairs),
    )


def _model(btf: BTF, basis: ContinuedBasis, coded: CodedLatents | FreeLatents) -> NeuralBasisBTF:
    """Return the model of the kept latents, with the basis as precise as a file holds it."""
    kept = slice(0, coded.latents + 1)
    return NeuralBasisBTF(
        coded=coded,
        table=_half(np.ascontiguousarray(basis.samples[:, kept])),
        imagined_light=_single(basis.imagined[0]),
        imagined_view=_single(basis.imagined[1]),
        continuation=basis.continuation,
        light=_single(btf.light[basis.pairs]),
        view=_single(btf.view[basis.pairs]),
        dtype=np.dtype(btf.frames.dtype),
        source=btf.name,
        mm_per_texel=btf.mm_per_texel,
    )


def _single(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round directions to single precision, as a file holds them."""
    return vectors.astype(np.float32).astype(np.float64)


def _half(values: NDArray[Any]) -> NDArray[Any]:
    """Convert to half precision, unless the values are too large for it."""
    large = np.abs(values).max(initial=0.0) > np.finfo(np.float16).max
    return values.astype(np.float32 if large else np.float16)


def candidate_latents(btf: BTF, texels: int, budget: Budget, memory: int) -> int:
    """Return the number of latents to choose from for a size or a quality."""
    most = max(8, memory // (_LATENT_VALUE_BYTES * btf.height * btf.width))
    most = min(_most_latents(btf, texels), most)
    if budget.bytes_per_texel is None:
        return min(MOST_FOR_QUALITY, most)
    pairs = len(btf) - btf.grid.duplicate_pairs
    room = budget.bytes_per_texel * btf.height * btf.width + FREE_BYTES - _fixed_bytes(btf, pairs)
    return max(1, min(MOST_LATENTS, most, int(room) // _latent_bytes(btf, pairs)))


def pairs_to_imagine(btf: BTF, captured: int, latents: int, budget: Budget) -> int:
    """Return the number of pairs to imagine, so small that their rows hardly cost bytes.

    Parameters
    ----------
    btf : BTF
    captured : int
        Number of captured pairs, each counted once.
    latents : int
        Number of candidates for latents.
    budget : Budget
    """
    if budget.latents is not None or not FEWEST_PAIRS <= captured <= MOST_PAIRS:
        return 0
    bytes_per_texel = budget.bytes_per_texel or _USUAL_BYTES
    room = _IMAGINED_SHARE * (bytes_per_texel * btf.height * btf.width + FREE_BYTES)
    pairs = min(_MOST_IMAGINED, int(room / (2 * btf.channels * latents)))
    return pairs if pairs >= _FEWEST_IMAGINED else 0


def _fixed_bytes(btf: BTF, pairs: int) -> int:
    """Return the bytes of a file without latents."""
    return _HEADER_BYTES + direction_bytes(btf) + 2 * pairs * btf.channels


def _latent_bytes(btf: BTF, pairs: int) -> int:
    """Return the bytes that each latent adds to the decoder."""
    return 2 * pairs * btf.channels + 4


def _most_latents(btf: BTF, texels: int) -> int:
    return min(texels - 1, len(btf) * btf.channels)


def check_neural_basis(
    btf: BTF, coords: ArrayLike | None, budget: Budget, memory: int = MEMORY
) -> None:
    """Raise a UsageError if a capture cannot be fitted like this; no image is read.

    Raises
    ------
    UsageError
    """
    chosen = btf.height * btf.width if coords is None else len(np.asarray(coords))
    texels = min(chosen, texels_that_fit(btf, memory))
    most = _most_latents(btf, texels)
    if most < 1 or (budget.latents is not None and not 1 <= budget.latents <= most):
        asked = (
            "no latents are possible"
            if budget.latents is None
            else (f"{budget.latents} latents were asked for")
        )
        raise UsageError(
            None,
            f"{asked}, {texels} texels with {len(btf)} observations of "
            f"{btf.channels} channels allow 1 to {most}",
            "change the number of latents, or choose more texels",
        )
    if budget.bytes_per_texel is not None:
        pairs = len(btf) - btf.grid.duplicate_pairs
        check_room(
            budget.bytes_per_texel,
            btf.height * btf.width,
            _fixed_bytes(btf, pairs) + _latent_bytes(btf, pairs),
        )
    check_capture(btf)
