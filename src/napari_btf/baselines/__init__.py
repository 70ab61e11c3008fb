"""Classical codecs with which a model is compared.

Each codec is fitted by a job that takes a BTF and a size limit in bytes and returns a `Baseline`;
`BASELINES` lists them all. Measuring their quality belongs in `napari_btf.evaluate`, and the
project's own codecs belong in `napari_btf.codec`.

==================  ===========================================================================
PTM                 a quadratic polynomial of the light for every texel and channel
HSH 9, HSH 16       hemispherical harmonics of the light for every texel and channel
PCA + thin-plate    principal components of the texels, interpolated over the directions
nearest             the photograph with the nearest directions
inverse distance    the 16 nearest photographs, weighted by their inverse squared distance
thin-plate          a thin-plate spline through all photographs
==================  ===========================================================================

`fit_quick` makes a preview of PTM, HSH or PCA that the window relights before a training.

PTM, HSH and the thin-plate spline of photographs depend on the light only, so they raise a
`UsageError` for a capture of several views.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from napari_btf.baselines.baseline import Baseline
from napari_btf.baselines.light_series import fit_hsh, fit_ptm, hsh_terms, ptm_normals, ptm_terms
from napari_btf.baselines.photographs import (
    fit_inverse_distance,
    fit_nearest,
    fit_thin_plate,
)
from napari_btf.baselines.principal import fit_pca
from napari_btf.baselines.quick import QuickBTF, QuickPTM, fit_quick
from napari_btf.btf import BTF
from napari_btf.progress import Job

__all__ = [
    "BASELINES",
    "Baseline",
    "Fit",
    "QuickBTF",
    "QuickPTM",
    "fit_hsh",
    "fit_inverse_distance",
    "fit_nearest",
    "fit_pca",
    "fit_ptm",
    "fit_quick",
    "fit_thin_plate",
    "hsh_terms",
    "ptm_normals",
    "ptm_terms",
]

#: ``fit(btf, budget)``: ``budget`` is the maximum size in bytes; with None the codec chooses it.
Fit = Callable[[BTF, int | None], Job[Baseline]]

BASELINES: dict[str, Fit] = {
    "PCA + thin-plate": fit_pca,
    "PTM": fit_ptm,
    "HSH 9": partial(fit_hsh, order=3),
    "HSH 16": partial(fit_hsh, order=4),
    "nearest": fit_nearest,
    "inverse distance": fit_inverse_distance,
    "thin-plate": fit_thin_plate,
}
