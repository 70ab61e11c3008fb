"""Imagine pairs that nobody captured with a network, and add them to a linear basis.

A highlight moves over a texel between the captured lights, and no interpolation of the texel's own
values knows how. Other texels show it: those whose normals differ in the right way. So one network
of all texels is trained on the captured pairs
(`napari_btf.codec.neural_basis.imagination.network`). It shades the texels for pairs in the gaps,
and these become samples of the basis as if they had been captured. The decoder stays as linear, and
as fast, as without them.

The value of the spline at such a pair is not replaced but corrected, by a share of the difference
between the network's value and a spline through the network's own values at the captured pairs. The
share is the best one at pairs that were held out from the network. If it does not help there,
nothing is imagined.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_btf.codec.fitting.loop import Loop
from napari_btf.codec.fitting.stage import Stage
from napari_btf.codec.neural_basis.imagination.network import ShadingNetwork, Texels
from napari_btf.codec.neural_basis.imagination.training import BATCH, RATE, ShadingTask
from napari_btf.directions import group_directions
from napari_btf.interpolation.basis import direction_space
from napari_btf.interpolation.points import spread_directions
from napari_btf.interpolation.spline import fit_spline
from napari_btf.progress import Progress, is_report_due
from napari_btf.texels.normals import surface_normals

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_btf.codec.fitting.checkpoint import Checkpoint
    from napari_btf.codec.fitting.settings import NetworkSettings
    from napari_btf.interpolation.basis import Continuation, DirectionSpace

__all__ = [
    "FEWEST_PAIRS",
    "MOST_PAIRS",
    "STEPS",
    "Imagined",
    "Known",
    "imagine",
    "seconds_of_imagining",
]

#: Limits for the number of captured pairs: with fewer none can be held out, with more there are
#: no gaps.
FEWEST_PAIRS, MOST_PAIRS = 16, 512
#: At first, one of this many pairs is held out from the network.
_HELD_SHARE = 6
#: Imagining is worth it if it removes this share of the squared error at the held-out pairs. They
#: are few: with a tenth, other pairs sometimes became worse (docs/lab/neural-basis.md).
_WORTHWHILE = 0.25
#: Factor of the best share at the held-out pairs: the gaps there are wider than the gaps that
#: remain, in which the spline does better.
_CAUTION = 0.6
#: The training ends after this many steps if it has removed less than this share of the squared
#: error. Where imagining was worth it, the share was 0.2 to 0.7 by then, elsewhere 0 to 0.04.
_LOOK_STEP, _PROMISING = 200, 0.05
#: Added to the learning rates, so that the last steps have an effect, too.
_LEAST_RATE = 1e-6
_TEST_TEXELS = 4000
_NETWORK_LATENTS = 16
#: Number of texels that the network learns from.
_TEXELS = 20_000
#: Number of steps if no length of the training is given.
STEPS = 2400
#: Measured seconds of a step.
_STEP_SECONDS = 0.008
#: Weight of all imagined pairs together, relative to the captured ones.
_WEIGHT = 0.5
_BLOCK_VALUES = 1 << 22


class Known(NamedTuple):
    """A linear model of the captured pairs, with their directions as unit vectors."""

    light: NDArray[np.float64]
    """(N, 3)"""
    view: NDArray[np.float64]
    """(N, 3)"""
    samples: NDArray[np.float64]
    """(N, K + 1, C), the basis at the pairs; its columns orthonormal."""
    continuation: Continuation


class Imagined(NamedTuple):
    """A linear model of the captured pairs and the imagined ones."""

    light: NDArray[np.float64]
    """(M, 3), of the imagined pairs."""
    view: NDArray[np.float64]
    samples: NDArray[np.float64]
    """(N + M, K + 1, C), those of the captured pairs first."""
    latents: NDArray[np.float32]
    """(T, K)"""
    energy: float
    """Sum of squares that the imagined pairs add to what is projected."""


class _Gaps(NamedTuple):
    """Pairs in gaps, and the weights by which a spline interpolates there from known pairs."""

    light: NDArray[np.float64]
    view: NDArray[np.float64]
    weights: NDArray[np.float32]
    """(M, N)"""


def imagine(
    known: Known,
    latents: NDArray[np.float32],
    learned: NDArray[np.intp],
    pairs: int,
    settings: NetworkSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, Imagined | None]:
    """Add imagined pairs to a linear model.

    Parameters
    ----------
    known : Known
    latents : ndarray, shape (T, K)
        Of all texels.
    learned : ndarray of int
        The texels to learn from.
    pairs : int
        How many to imagine.
    settings : NetworkSettings
    stop : callable
        Asked often; true ends the training. Before its middle, nothing is imagined then.
    checkpoint : Checkpoint
        The checkpoint of the training, opened; the training continues from the state in it.

    Yields
    ------
    Progress
        Phases "train", "imagine".

    Returns
    -------
    Imagined or None
        None where imagining does not help.
    """
    yield Progress("train", 0, 1000)
    random = np.random.default_rng(settings.seed)
    if len(learned) > _TEXELS:
        learned = random.choice(learned, _TEXELS, replace=False)
    describe = _Description(known, latents[learned])
    texels = describe(latents[learned])
    values = _values(known.samples, latents[learned])
    scale = float(np.percentile(np.abs(values), 99.9)) or 1.0
    network = ShadingNetwork(texels.latents.shape[1], values.shape[2], settings)
    values /= np.float32(scale)
    share = yield from _trained(network, known, texels, values, settings, stop, checkpoint)
    if share <= 0.0:
        yield Progress("train", 1000, 1000)
        return None
    space = direction_space(known.light, known.view)
    light, view = _gap_pairs(space, known, pairs)
    gaps = _gaps(space, known, light, view)
    surprise = _Surprise(network, known, gaps, share * scale)
    return (yield from _joined(known, gaps, latents, learned, describe, surprise))


def seconds_of_imagining(observations: int, settings: NetworkSettings) -> float:
    """Return the expected seconds on two cores, which are fewer where it is soon given up."""
    if not FEWEST_PAIRS <= observations <= MOST_PAIRS:
        return 0.0
    needed = STEPS * _STEP_SECONDS
    return needed if settings.seconds is None else min(needed, settings.seconds)


class _Description:
    """Maps latents to the inputs of the network."""

    def __init__(self, known: Known, latents: NDArray[np.float32]) -> None:
        self._light = known.light
        self._brightness = known.samples.mean(axis=2).astype(np.float32)
        spread = np.maximum(latents[:, :_NETWORK_LATENTS].std(axis=0), 1e-6)
        # Weak latents get a smaller scale, because they are noisier.
        self._scale = 1.5 * np.sqrt(spread / spread[0]) / spread

    def __call__(self, latents: NDArray[np.float32]) -> Texels:
        brightness = latents @ self._brightness[:, 1:].T + self._brightness[:, 0]
        normals = surface_normals(brightness, self._light)
        return Texels(latents[:, :_NETWORK_LATENTS] * self._scale, normals)


class _Surprise:
    """What the network predicts beyond the spline, scaled, at pairs in gaps: (T, M, C)."""

    def __init__(self, network: ShadingNetwork, known: Known, gaps: _Gaps, scale: float) -> None:
        self._network, self._known, self._gaps, self._scale = network, known, gaps, scale

    def __call__(self, texels: Texels) -> NDArray[np.float32]:
        known, gaps = self._known, self._gaps
        light = np.concatenate([known.light, gaps.light])
        view = np.concatenate([known.view, gaps.view])
        shaded = self._network(texels, light, view)
        count = len(known.light)
        beyond = shaded[:, count:] - np.matmul(gaps.weights, shaded[:, :count])
        return np.asarray(np.float32(self._scale) * beyond)


def _values(samples: NDArray[np.float64], latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values (T, N, C) of a linear model."""
    table = samples.astype(np.float32).transpose(1, 0, 2)
    flat = latents @ table[1:].reshape(len(table) - 1, -1)
    return np.asarray(flat.reshape(len(latents), *table.shape[1:]) + table[0])


def _trained(
    network: ShadingNetwork,
    known: Known,
    texels: Texels,
    values: NDArray[np.float32],
    settings: NetworkSettings,
    stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> Generator[Progress, None, float]:
    """Train the network; return the share of its predictions that is worth adding, 0 for none."""
    light, view = known.light, known.view
    order = np.random.default_rng(settings.seed).permutation(len(light))
    held, used = np.split(order, [len(order) // _HELD_SHARE])
    steps = STEPS
    if settings.epochs is not None:
        steps = max(2, settings.epochs * values.size // values.shape[2] // BATCH)
    half = None if settings.seconds is None else settings.seconds / 2
    stage = partial(Stage, seconds=half, warm_up=0.0, least_rate=_LEAST_RATE)
    some = stage("some", steps // 2, last=0.5)
    found = checkpoint.found
    if found is not None and found.facts["stage"] == "all":
        share = float(found.facts["share"])
    else:
        task = ShadingTask(
            network, texels, values[:, used], light[used], view[used], RATE, settings.seed
        )
        usefulness = _Usefulness(network, known, texels, values, held, used)
        loop = Loop(task, some, checkpoint)
        if loop.step < _LOOK_STEP:
            yield from loop.run(stop, _LOOK_STEP)
            # Only a training that has made all these steps can be judged.
            if loop.step >= _LOOK_STEP and not usefulness()[1] >= _PROMISING:
                return 0.0
        yield from loop.run(stop)
        share, gone = usefulness() if not stop() else (0.0, 0.0)
        # The comparison is also false for NaN, which a network that has diverged gives.
        if not gone >= _WORTHWHILE:
            return 0.0
    every = stage("all", steps - steps // 2, first=0.5, facts={"share": share})
    task = ShadingTask(network, texels, values, light, view, RATE / 2, settings.seed + 1)
    yield from Loop(task, every, checkpoint).run(stop)
    return share


class _Usefulness:
    """Measures what the network predicts better than the spline, at pairs held out from both."""

    def __init__(
        self,
        network: ShadingNetwork,
        known: Known,
        texels: Texels,
        values: NDArray[np.float32],
        held: NDArray[np.intp],
        used: NDArray[np.intp],
    ) -> None:
        light, view = known.light, known.view
        space = direction_space(light, view)
        rest = Known(light[used], view[used], known.samples[used], known.continuation)
        gaps = _gaps(space, rest, light[held], view[held])
        some = slice(0, _TEST_TEXELS)
        self._texels = texels.at(some)
        self._surprise = _Surprise(network, rest, gaps, 1.0)
        self._missed = values[some, held] - np.matmul(gaps.weights, values[some, used])

    def __call__(self) -> tuple[float, float]:
        """Return the share worth adding, and the share of the squared error that it removes."""
        missed, surprise = self._missed, self._surprise(self._texels)
        power = float(np.vdot(surprise, surprise))
        best = float(np.clip(np.vdot(surprise, missed) / max(power, 1e-12), 0.0, 1.0))
        share = _CAUTION * best
        left = float(np.sum((missed - share * surprise) ** 2))
        return share, 1.0 - left / max(float(np.vdot(missed, missed)), 1e-12)


def _gap_pairs(
    space: DirectionSpace, known: Known, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Choose pairs as far as possible from the captured pairs: captured views, any lights."""
    views = group_directions(known.view).vectors
    lights = spread_directions(4 * count // len(views) + 16, space.light_radius)
    light, view = np.tile(lights, (len(views), 1)), np.repeat(views, len(lights), axis=0)
    points = space.places(light, view, known.continuation).points
    taken = space.places(known.light, known.view, known.continuation).points
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(taken).query(points)
    chosen = []
    # Farthest-point sampling (Gonzalez, 1985), starting from the captured pairs.
    for _ in range(min(count, len(points))):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return light[chosen], view[chosen]


def _gaps(
    space: DirectionSpace, known: Known, light: NDArray[np.float64], view: NDArray[np.float64]
) -> _Gaps:
    places = space.places(known.light, known.view, known.continuation)
    how = known.continuation
    spline = fit_spline(places, np.eye(len(places)), how.smoothing, ridge=how.ridge)
    weights = spline(space.places(light, view, known.continuation))
    return _Gaps(light, view, weights.astype(np.float32))


def _joined(
    known: Known,
    gaps: _Gaps,
    latents: NDArray[np.float32],
    learned: NDArray[np.intp],
    describe: _Description,
    surprise: _Surprise,
) -> Generator[Progress, None, Imagined]:
    """Compute principal components of the latents together with the imagined values.

    The latents represent the captured values exactly, because their basis is orthonormal.
    """
    n, k, c = len(known.samples), latents.shape[1], known.samples.shape[2]
    weight = np.float32(np.sqrt(_WEIGHT * n / len(gaps.light)))
    guessed = np.tensordot(gaps.weights, known.samples, 1).astype(np.float32)

    def imagined(some: NDArray[np.float32]) -> NDArray[np.float32]:
        found = _values(guessed.astype(np.float64), some) + surprise(describe(some))
        return found.reshape(len(some), -1)

    block = max(1, _BLOCK_VALUES // guessed[:, 0].size)
    sample = np.concatenate(
        [imagined(latents[learned[i : i + block]]) for i in range(0, len(learned), block)]
    )
    mean = sample.mean(axis=0)
    joint = np.concatenate([latents[learned], weight * (sample - mean)], axis=1)
    del sample
    axes = np.linalg.eigh((joint.T @ joint).astype(np.float64))[1][:, : -k - 1 : -1]
    del joint
    to_latents = axes.astype(np.float32)
    found, energy = np.empty_like(latents), 0.0
    for i in range(0, len(latents), block):
        some = latents[i : i + block]
        added = weight * (imagined(some) - mean)
        energy += float(np.vdot(added, added))
        found[i : i + block] = some @ to_latents[:k] + added @ to_latents[k:]
        if is_report_due(i // block + 1, -(-len(latents) // block)):
            yield Progress("imagine", min(i + block, len(latents)), len(latents))
    samples = np.empty((n + len(gaps.light), k + 1, c))
    samples[:n, 0], samples[n:, 0] = known.samples[:, 0], mean.reshape(-1, c)
    samples[:n, 1:] = np.einsum("nkc,kj->njc", known.samples[:, 1:], axes[:k], optimize=True)
    samples[n:, 1:] = (axes[k:] / weight).reshape(-1, c, k).transpose(0, 2, 1)
    return Imagined(gaps.light, gaps.view, samples, found, energy)
