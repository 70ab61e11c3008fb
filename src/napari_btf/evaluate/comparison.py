"""Evaluation of a model and of the baselines on all observations of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from napari_btf.baselines import BASELINES
from napari_btf.btf import into_memory
from napari_btf.directions import SAME_DIRECTION_DEGREES, angle_between
from napari_btf.errors import UsageError
from napari_btf.evaluate.figures import BaselineFigures, Evaluation, Scores
from napari_btf.evaluate.metrics import ssim
from napari_btf.progress import Job, Progress, is_report_due, mapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec import CompressedBTF

__all__ = ["check_match", "evaluate", "score", "seen_pairs"]

T = TypeVar("T")


class Renderer(Protocol):
    """A decoder of images, which `score` can evaluate: a model or a baseline."""

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Decode images (H, W, C) at pairs of unit vectors (P, 3), in the fitted domain."""


def evaluate(
    model: CompressedBTF,
    btf: BTF,
    held_out: NDArray[np.bool_] | None = None,
    baselines: bool = True,
) -> Job[Evaluation]:
    """Score a model on a capture, and classical codecs of about the same size.

    Errors are measured in the fitted domain (see `napari_btf.values`); decoded values are clamped
    but not rounded. The peak is that of `ValueScale.peak`.

    Parameters
    ----------
    model : CompressedBTF
    btf : BTF
        Capture of the same size and channels; read into memory if it takes at most 512 MiB.
    held_out : ndarray of bool, shape (N,), optional
        Mask of the observations that count as unseen. By default these are the observations whose
        pair of directions was not used in training (see `seen_pairs`).
    baselines : bool
        Whether to score `napari_btf.baselines.BASELINES`, too. They are fitted to the seen
        observations with the size of the model as budget, which PTM and HSH may exceed.

    Yields
    ------
    Progress
        Phases "read", "evaluate", "baselines".

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        If model and capture do not match; this is checked before any image is read.
    CaptureError
        If an image cannot be read.
    """
    check_match(model, btf)
    seen = seen_pairs(model, btf) if held_out is None else ~np.asarray(held_out, dtype=bool)
    btf = yield from into_memory(btf)
    peak = yield from _peak(btf)
    scores, error = yield from score(model, btf, seen, peak)
    size = model.file_size
    rows: tuple[BaselineFigures, ...] = ()
    if baselines:
        rows = yield from _baselines(btf, seen, peak, size)
    return Evaluation(
        scores=scores,
        light=btf.light,
        view=btf.view,
        error=error,
        bytes_model=size,
        bytes_latents=model.latent_bytes,
        bytes_capture=btf.nbytes,
        baselines=rows,
    )


def check_match(model: CompressedBTF, btf: BTF) -> None:
    """Check that a capture has the same image size and kind of values as a model.

    Raises
    ------
    UsageError
        If it has not.
    """
    theirs = (model.width, model.height, model.channels)
    ours = (btf.width, btf.height, btf.channels)
    if theirs != ours:
        raise UsageError(
            btf.source or None,
            f"its images are {_size(*ours)}, those of the model are {_size(*theirs)}",
            "name the capture the model was trained on, or one of the same surface",
        )
    if model.values.is_float != btf.values.is_float:
        raise UsageError(
            btf.source or None,
            f"its values are {btf.values.dtype}, those of the model are {model.values.dtype}",
            "name the capture the model was trained on, or one of the same kind",
        )


def _size(width: int, height: int, channels: int) -> str:
    return f"{width} x {height} with {channels} channel{'s' if channels > 1 else ''}"


def seen_pairs(model: CompressedBTF, btf: BTF) -> NDArray[np.bool_]:
    """Return the mask of the observations whose pair of directions was used in training.

    Light and view must each lie within `SAME_DIRECTION_DEGREES` of those of one training pair.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    from scipy.spatial import cKDTree

    trained = np.concatenate([model.light, model.view], axis=1)
    pairs = np.concatenate([btf.light, btf.view], axis=1)
    # The search radius is larger than needed, because the exact angles decide below.
    reach = 2.0 * np.deg2rad(SAME_DIRECTION_DEGREES)
    near = cKDTree(trained).query_ball_point(pairs, reach)
    seen = np.zeros(len(btf), dtype=bool)
    for i, candidates in enumerate(near):
        if candidates:
            apart = np.maximum(
                angle_between(model.light[candidates], btf.light[i]),
                angle_between(model.view[candidates], btf.view[i]),
            )
            seen[i] = apart.min() <= SAME_DIRECTION_DEGREES
    return seen


def score(
    renderer: Renderer, btf: BTF, seen: NDArray[np.bool_], peak: float
) -> Job[tuple[Scores, NDArray[np.float64]]]:
    """Score a model or baseline on all observations.

    Parameters
    ----------
    renderer : CompressedBTF or Baseline
    btf : BTF
        Read one observation after the other.
    seen : ndarray of bool, shape (N,)
        Mask of the observations that the renderer was fitted to; only passed on to the result.
    peak : float
        Peak value of PSNR and SSIM in the fitted domain.

    Yields
    ------
    Progress
        Phase "evaluate".

    Returns
    -------
    Scores
    ndarray, shape (H, W)
        Mean absolute error of each texel.
    """
    mse, similarity = np.empty(len(btf)), np.empty(len(btf))
    error = np.zeros((btf.height, btf.width))
    images = zip(renderer.shaded(btf.light, btf.view), btf.iter_frames(), strict=True)
    for i, (image, frame) in enumerate(images):
        captured = btf.values.encode(frame)
        decoded = np.clip(image, 0.0, btf.values.largest_fitted)
        difference = decoded - captured
        mse[i] = np.mean(np.square(difference), dtype=np.float64)
        similarity[i] = ssim(decoded, captured, peak)
        error += np.abs(difference).mean(axis=2)
        if is_report_due(i + 1, len(btf)):
            yield Progress("evaluate", i + 1, len(btf))
    return Scores(mse, similarity, seen, peak), error / len(btf)


def _peak(btf: BTF) -> Job[float]:
    """Return the peak of a capture (`ValueScale.peak`), from all images if it is not 1."""
    peak = 0.0
    for i, frame in enumerate(btf.iter_frames()):
        peak = max(peak, float(btf.values.encode(frame).max()))
        # The range is in use, so that further images of integers would change nothing.
        if not btf.values.is_float and btf.values.peak(peak) == 1.0 and peak > 0:
            return 1.0
        if is_report_due(i + 1, len(btf)):
            yield Progress("read", i + 1, len(btf))
    return btf.values.peak(peak)


def _baselines(
    btf: BTF, seen: NDArray[np.bool_], peak: float, budget: int
) -> Job[tuple[BaselineFigures, ...]]:
    """Fit all baselines to the seen observations and score them on all observations."""
    if not seen.any():
        nothing = "it cannot be fitted: no direction of the capture was seen in training"
        return tuple(BaselineFigures(name, nothing) for name in BASELINES)
    learned = btf if seen.all() else btf.select(seen)
    rows = []
    for i, (name, fit) in enumerate(BASELINES.items()):
        try:
            fitted = yield from _part(fit(learned, budget), 2 * i)
        except UsageError as error:
            rows.append(BaselineFigures(name, error.problem))
            continue
        scores, _ = yield from _part(score(fitted, btf, seen, peak), 2 * i + 1)
        rows.append(BaselineFigures(name, fitted.note, fitted.nbytes, scores))
    return tuple(rows)


def _part(job: Job[T], number: int) -> Job[T]:
    """Run job ``number`` of two per baseline; map its progress to the phase "baselines"."""

    def among_all(progress: Progress) -> Progress:
        done = int(100 * (number + progress.step / progress.total))
        return Progress("baselines", done, 200 * len(BASELINES))

    return mapped(job, among_all)
