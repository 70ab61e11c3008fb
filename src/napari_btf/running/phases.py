"""Names of the phases of a job, for people."""

from __future__ import annotations

__all__ = ["PHASES"]

PHASES = {
    "read": "Reading images",
    "basis": "Finding the basis",
    "train": "Training",
    "train slower": "Training with smaller steps",
    "imagine": "Imagining lights",
    "encode": "Encoding texels",
    "encode slower": "Encoding texels with smaller steps",
    "quantise": "Compressing latents",
    "evaluate": "Measuring quality",
    "similarity": "Measuring similarity",
    "neighbours": "Finding neighbours",
    "embed": "Placing texels",
    "place": "Placing the other texels",
    "segment": "Parting texels",
    "baselines": "Fitting classical codecs",
    "movie": "Writing frames",
    "normals": "Estimating normals",
}
