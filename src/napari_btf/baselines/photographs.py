"""Images as weighted means of captured photographs: nearest, inverse distance, thin-plate.

These codecs keep the photographs in their stored form. If the size is limited, they keep a subset
of the photographs that is spread evenly over the captured directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.baselines.baseline import check_one_view, disk_coordinates, pairs_at_once
from napari_btf.interpolation.basis import direction_space
from napari_btf.interpolation.points import distinct_points, spread_subset
from napari_btf.interpolation.spline import fit_spline, linear_places
from napari_btf.running.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.progress import Job

__all__ = ["Photographs", "fit_inverse_distance", "fit_nearest", "fit_thin_plate"]

#: Bytes of the four angles of a photograph as float32.
_PAIR_BYTES = 16
#: Maximum number of photographs in a spline, because its weights form a square matrix.
_MOST_IN_SPLINE = 2048
#: Weights below this are rounding errors.
_NO_WEIGHT = 1e-6


@dataclass(frozen=True, eq=False)
class Photographs:
    """Weighted means of some photographs: a `napari_btf.baselines.Baseline`.

    Parameters
    ----------
    name, note : str
    btf : BTF
        The N photographs, read when they are needed.
    weights : callable
        Maps unit vectors of lights and views, (P, 3) each, to weights of the photographs, (P, N).
    """

    name: str
    note: str
    btf: BTF
    weights: Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]

    @property
    def nbytes(self) -> int:
        """Size in bytes: the stored pixels and the directions."""
        return self.btf.nbytes + _PAIR_BYTES * len(self.btf)

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Decode images (H, W, C) at pairs of unit vectors (P, 3), in the fitted domain."""
        light, view = np.asarray(light), np.asarray(view)
        size = self.btf.height * self.btf.width * self.btf.channels
        together = pairs_at_once(size)
        for start in range(0, len(light), together):
            block = slice(start, start + together)
            weights = self.weights(light[block], view[block]).astype(np.float32)
            images = np.zeros((len(weights), size), dtype=np.float32)
            used = np.flatnonzero(np.abs(weights).max(axis=0) > _NO_WEIGHT)
            for first in range(0, len(used), together):
                some = used[first : first + together]
                values = np.stack([self._values(i) for i in some])
                with one_thread():
                    images += weights[:, some] @ values
            yield from images.reshape(len(weights), self.btf.height, self.btf.width, -1)

    def _values(self, i: np.intp) -> NDArray[np.float32]:
        return self.btf.values.encode(self.btf.frame(int(i))).reshape(-1)


def fit_nearest(btf: BTF, budget: int | None = None) -> Job[Photographs]:
    """Make a codec that returns the photograph nearest on the stereographic disks.

    Parameters
    ----------
    btf : BTF
    budget : int, optional
        Maximum size in bytes; at least one photograph is kept.
    """
    yield from ()
    kept, note = _affordable(btf, budget)
    return Photographs("nearest", note, kept, _nearest_weights(kept, 1))


def fit_inverse_distance(
    btf: BTF, budget: int | None = None, neighbours: int = 16
) -> Job[Photographs]:
    """Make a codec that averages the nearest photographs with inverse-distance weights.

    The weights ``1 / d^2``, with distances on the stereographic disks, follow D. Shepard, "A
    two-dimensional interpolation function for irregularly-spaced data", 1968. Captured pairs are
    reproduced exactly.

    Parameters
    ----------
    btf : BTF
    budget : int, optional
        Maximum size in bytes; at least one photograph is kept.
    neighbours : int
        Number of photographs to average.
    """
    yield from ()
    kept, note = _affordable(btf, budget)
    return Photographs("inverse distance", note, kept, _nearest_weights(kept, neighbours))


def fit_thin_plate(btf: BTF, budget: int | None = None) -> Job[Photographs]:
    """Fit a thin-plate spline over the stereographic disk of lights through all photographs.

    A spline is linear in its samples, so a spline of the photographs' weights suffices (G. Wahba,
    Spline Models for Observational Data, 1990, chapter 2). Lights beyond the captured range are
    clamped to it. At most 2,048 photographs are kept.

    Parameters
    ----------
    btf : BTF
    budget : int, optional
        Maximum size in bytes; at least one photograph is kept.

    Raises
    ------
    UsageError
        If the capture has several views.
    """
    yield from ()
    check_one_view(btf, "thin-plate")
    space = direction_space(btf.light, btf.view)
    distinct, _ = distinct_points(space(btf.light, btf.view))
    kept, note = _affordable(btf.select(distinct), budget, _MOST_IN_SPLINE)
    places = linear_places(space(kept.light, kept.view))
    spline = fit_spline(places, np.eye(len(kept)), 0.0, kernel="thin-plate")

    def weights(light: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
        return spline(linear_places(space(light, view)))

    return Photographs("thin-plate", note, kept, weights)


def _affordable(btf: BTF, budget: int | None, most: int | None = None) -> tuple[BTF, str]:
    """Return a BTF of the photographs that fit the budget, and a note that counts them."""
    count = len(btf)
    if budget is not None:
        each = btf.nbytes // len(btf) + _PAIR_BYTES
        count = int(np.clip(budget // each, 1, len(btf)))
    if most is not None:
        count = min(count, most)
    if count == len(btf):
        return btf, f"all {count} photographs"
    spread = spread_subset(disk_coordinates(btf.light, btf.view), count)
    return btf.select(spread), f"{count} of {len(btf)} photographs"


def _nearest_weights(
    btf: BTF, neighbours: int
) -> Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]:
    from scipy.spatial import cKDTree

    tree = cKDTree(disk_coordinates(btf.light, btf.view))
    count = min(neighbours, len(btf))

    def weights(light: ArrayLike, view: ArrayLike) -> NDArray[np.float64]:
        at = disk_coordinates(light, view)
        distance, which = tree.query(at, k=list(range(1, count + 1)))
        # The lower bound is so small that at a captured pair its photograph gets all the weight.
        inverse = np.maximum(distance, 1e-9) ** -2.0
        out = np.zeros((len(at), len(btf)))
        out[np.arange(len(at))[:, np.newaxis], which] = inverse / inverse.sum(axis=1, keepdims=True)
        return out

    return weights
