"""PSNR and SSIM of single images, and PSNR over all observations of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.codec.fitting.processes import world
from napari_btf.progress import Job, Progress, is_report_due

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec import CompressedBTF

__all__ = ["decibel", "psnr", "psnr_over", "ssim"]


def psnr(image: ArrayLike, reference: ArrayLike) -> float:
    """Return the peak signal-to-noise ratio of values in 0..1, in dB: ``10 log10(1 / MSE)``.

    The ratio is infinite for equal images.
    """
    difference = np.asarray(image, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    return decibel(float(np.mean(difference**2)))


def ssim(image: ArrayLike, reference: ArrayLike, peak: float = 1.0) -> float:
    """Return the mean structural similarity of two (H, W, C) images with values in 0..peak.

    The metric is that of Wang et al., "Image quality assessment: from error visibility to
    structural similarity", 2004, with its Gaussian window, computed by scikit-image (in single
    precision if both images are). It is NaN for images with a side of less than 11 texels.
    """
    from skimage.metrics import structural_similarity

    a, b = np.asarray(image), np.asarray(reference)
    if min(a.shape[:2]) < 11:
        return float("nan")
    return float(
        structural_similarity(
            a,
            b,
            channel_axis=-1,
            data_range=peak,
            gaussian_weights=True,
            use_sample_covariance=False,
        )
    )


def psnr_over(model: CompressedBTF, btf: BTF) -> Job[float]:
    """Compute the PSNR of a model over all observations, from the MSE of all their values.

    If several processes run (`napari_btf.codec.fitting.processes`), each measures a share of the
    observations.

    Errors are measured in the fitted domain (see `napari_btf.values`). The peak is 1 for
    integer captures and the largest fitted value of the BTF for floating point captures; see
    `ValueScale.peak`.

    Parameters
    ----------
    model : CompressedBTF
        Decoded at the directions of each observation, clamped to the valid range, not rounded.
    btf : BTF
        Capture of the same size; read one observation after the other.

    Yields
    ------
    Progress
        Phase "evaluate".

    Returns
    -------
    float
        PSNR in dB.
    """
    total, peak = 0.0, 0.0
    here, count = world(), len(btf)
    if here.size > count and here.rank >= count:
        images: Iterable[tuple[NDArray[np.float32], NDArray[Any]]] = ()
    else:
        btf = here.share_of(btf)
        images = zip(model.shaded(btf.light, btf.view), btf.iter_frames(), strict=True)
    for done, (image, frame) in enumerate(images, start=1):
        captured = btf.values.encode(frame)
        decoded = np.clip(image, 0.0, btf.values.largest_fitted)
        total += float(np.mean(np.square(decoded - captured), dtype=np.float64))
        peak = max(peak, float(captured.max()))
        if is_report_due(done, len(btf)):
            yield Progress("evaluate", done, len(btf))
    total, peak = float(here.sum(np.array([total]))[0]), here.largest(peak)
    return decibel(total / count, btf.values.peak(peak))


def decibel(mse: float, peak: float = 1.0) -> float:
    """Return ``10 log10(peak^2 / mse)``, in dB; infinite if ``mse`` is 0."""
    return float("inf") if mse == 0 else float(10.0 * np.log10(peak**2 / mse))
