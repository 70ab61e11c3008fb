"""What an evaluation gives: figures of the model and of the baselines, as plain values too."""

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
    """Errors of every observation, and what follows from them.

    Parameters
    ----------
    mse : ndarray, shape (N,)
        Mean squared error in the fitted domain.
    ssim : ndarray, shape (N,)
        NaN for images under 11 texels.
    seen : ndarray of bool, shape (N,)
        Which observations have directions the codec was fitted on.
    peak : float
        The value that PSNR and SSIM relate errors to.
    """

    mse: NDArray[np.float64]
    ssim: NDArray[np.float64]
    seen: NDArray[np.bool_]
    peak: float

    @property
    def psnr(self) -> NDArray[np.float64]:
        """Of each observation, dB, shape (N,)."""
        return np.array([decibel(float(mse), self.peak) for mse in self.mse])

    def totals(self) -> dict[str, float]:
        """``psnr psnr_seen psnr_unseen ssim ssim_seen ssim_unseen``.

        PSNR is of one mean squared error over the observations, SSIM the mean over them. NaN
        where there are none.
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
    """A baseline fitted to the seen observations, at the bytes of the model.

    Parameters
    ----------
    name : str
    note : str
        How it keeps its values, or why it does not apply.
    nbytes : int or None
        None where it does not apply.
    scores : Scores or None
    """

    name: str
    note: str
    nbytes: int | None = None
    scores: Scores | None = None

    def summary(self) -> dict[str, Any]:
        """``name note bytes`` and the totals, None where it does not apply."""
        totals: dict[str, float | None] = dict.fromkeys(_TOTALS)
        if self.scores is not None:
            totals.update(self.scores.totals())
        return {"name": self.name, "note": self.note, "bytes": self.nbytes, **totals}


_TOTALS = ("psnr", "ssim", "psnr_seen", "ssim_seen", "psnr_unseen", "ssim_unseen")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of a model against a capture.

    Parameters
    ----------
    scores : Scores
        Of the model.
    light, view : ndarray, shape (N, 3)
        Unit vectors of the observations.
    error : ndarray, shape (H, W)
        Mean absolute error of each texel over all observations and channels, fitted domain.
    bytes_model, bytes_latents, bytes_capture : int
        Of the model as a file, of the latents in it, of all pixel values uncompressed.
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
        """All that is not latents: decoder, directions, description."""
        return self.bytes_model - self.bytes_latents

    def directions(self) -> list[dict[str, Any]]:
        """``theta_l phi_l theta_v phi_v seen psnr ssim`` of each observation; degrees, dB."""
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
        """Everything but the error image as plain values."""
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
