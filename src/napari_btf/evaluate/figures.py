"""Results of an evaluation: scores of the model and of the baselines, and their summaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import vectors_to_angles
from napari_btf.evaluate.metrics import decibel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BaselineFigures", "Evaluation", "Scores"]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of every observation, and the totals computed from them.

    Parameters
    ----------
    mse : ndarray, shape (N,)
        Mean squared error of each observation in the fitted domain.
    ssim : ndarray, shape (N,)
        Structural similarity; NaN for images with a side of less than 11 texels.
    seen : ndarray of bool, shape (N,)
        Mask of the observations to whose directions the codec was fitted.
    peak : float
        Peak value of PSNR and SSIM.
    """

    mse: NDArray[np.float64]
    ssim: NDArray[np.float64]
    seen: NDArray[np.bool_]
    peak: float

    @property
    def psnr(self) -> NDArray[np.float64]:
        """PSNR of each observation in dB, shape (N,)."""
        return np.array([decibel(float(mse), self.peak) for mse in self.mse])

    def totals(self) -> dict[str, float]:
        """Return ``psnr psnr_seen psnr_unseen ssim ssim_seen ssim_unseen``.

        PSNR is computed from the MSE over all the observations, and SSIM is the mean over them.
        A total over no observations is NaN.
        """
        found = {}
        for name, which in (("", slice(None)), ("_seen", self.seen), ("_unseen", ~self.seen)):
            mse, ssim = self.mse[which], self.ssim[which]
            nan = float("nan")
            found[f"psnr{name}"] = decibel(float(mse.mean()), self.peak) if len(mse) else nan
            found[f"ssim{name}"] = float(ssim.mean()) if len(ssim) else nan
        return found


@dataclass(frozen=True, eq=False)
class BaselineFigures:
    """Size and scores of a baseline that was fitted to the seen observations.

    Parameters
    ----------
    name : str
    note : str
        How the baseline stores its values, or why it is not applicable.
    nbytes : int or None
        Size in bytes; None if the baseline is not applicable.
    scores : Scores or None
        None if the baseline is not applicable.
    """

    name: str
    note: str
    nbytes: int | None = None
    scores: Scores | None = None

    def summary(self) -> dict[str, Any]:
        """Return ``name note bytes`` and the totals, which are None if it is not applicable."""
        totals: dict[str, float | None] = dict.fromkeys(_TOTALS)
        if self.scores is not None:
            totals.update(self.scores.totals())
        return {"name": self.name, "note": self.note, "bytes": self.nbytes, **totals}


_TOTALS = ("psnr", "ssim", "psnr_seen", "ssim_seen", "psnr_unseen", "ssim_unseen")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Quality and size of a model compared with a capture.

    Parameters
    ----------
    scores : Scores
        Scores of the model.
    light, view : ndarray, shape (N, 3)
        Unit vectors of the observations.
    error : ndarray, shape (H, W)
        Mean absolute error of each texel over all observations and channels, fitted domain.
    bytes_model, bytes_latents, bytes_capture : int
        Sizes of the model file, of the latents in it, and of all uncompressed pixel values.
    baselines : tuple of BaselineFigures
    """

    scores: Scores
    light: NDArray[np.float64]
    view: NDArray[np.float64]
    error: NDArray[np.float64]
    bytes_model: int
    bytes_latents: int
    bytes_capture: int
    baselines: tuple[BaselineFigures, ...]

    @property
    def bytes_decoder(self) -> int:
        """Size of the model file without latents: decoder, directions, description."""
        return self.bytes_model - self.bytes_latents

    def directions(self) -> list[dict[str, Any]]:
        """Return ``theta_l phi_l theta_v phi_v seen psnr ssim`` per observation; degrees, dB."""
        columns = zip(
            *vectors_to_angles(self.light),
            *vectors_to_angles(self.view),
            self.scores.seen,
            self.scores.psnr,
            self.scores.ssim,
            strict=True,
        )
        names = ("theta_l", "phi_l", "theta_v", "phi_v")
        rows = []
        for *angles, seen, psnr, ssim in columns:
            row: dict[str, Any] = {
                n: round(float(a), 4) for n, a in zip(names, angles, strict=True)
            }
            rows.append(row | {"seen": bool(seen), "psnr": float(psnr), "ssim": float(ssim)})
        return rows

    def summary(self) -> dict[str, Any]:
        """Return all results except the error image as plain Python values."""
        return {
            **self.scores.totals(),
            "bytes_model": self.bytes_model,
            "bytes_latents": self.bytes_latents,
            "bytes_decoder": self.bytes_decoder,
            "bytes_capture": self.bytes_capture,
            "compression_ratio": round(self.bytes_capture / self.bytes_model, 2),
            "images": len(self.light),
            "images_seen": int(self.scores.seen.sum()),
            "baselines": [baseline.summary() for baseline in self.baselines],
            "directions": self.directions(),
        }
