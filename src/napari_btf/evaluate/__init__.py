"""Quality of a compressed BTF compared with its photographs, beside classical codecs.

Metrics, scores and their reports belong here; the classical codecs themselves belong in
`napari_btf.baselines`.
"""

from __future__ import annotations

from napari_btf.evaluate.comparison import evaluate, score, seen_pairs
from napari_btf.evaluate.figures import BaselineFigures, Evaluation, Scores
from napari_btf.evaluate.metrics import psnr, psnr_over, ssim

__all__ = [
    "BaselineFigures",
    "Evaluation",
    "Scores",
    "evaluate",
    "psnr",
    "psnr_over",
    "score",
    "seen_pairs",
    "ssim",
]
