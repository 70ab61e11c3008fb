"""Latents in two dimensions: how the surface is organised."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from napari_btf.errors import CoordinatesError, UsageError
from napari_btf.files import write_file
from napari_btf.progress import Job, Progress
from napari_btf.sampling import all_texels, check_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec import CompressedBTF

__all__ = ["METHODS", "Method", "embed", "read_embedding", "write_embedding"]

Method = Literal["tsne", "pca"]
METHODS: tuple[Method, ...] = ("tsne", "pca")

_HEADER = "tsne_x,tsne_y,image_x,image_y"
_PERPLEXITY = 30.0
_STRIDE = 50


class _Phase(NamedTuple):
    iterations: int
    exaggeration: float
    momentum: float


#: Early exaggeration first, then the embedding itself (van der Maaten and Hinton, 2008).
_PHASES = (_Phase(250, 12.0, 0.5), _Phase(500, 1.0, 0.8))


def embed(
    model: CompressedBTF,
    method: Method = "tsne",
    coords: ArrayLike | None = None,
    seed: int = 0,
) -> Job[NDArray[np.float64]]:
    """Place texels in the plane so that texels with alike latents lie together.

    Parameters
    ----------
    model : CompressedBTF
    method : {"tsne", "pca"}
        t-SNE by openTSNE (perplexity 30), or the first two principal components.
    coords : array_like of int, shape (T, 2), optional
        Rows ``(y, x)`` of the texels; all by default.
    seed : int

    Yields
    ------
    Progress
        Phase "embed".

    Returns
    -------
    ndarray, shape (T, 2)
        All zero if the texels do not differ.

    Raises
    ------
    UsageError
        If a setting cannot work.
    """
    if method not in METHODS:
        raise UsageError(None, f"there is no method {method!r}", f"use {' or '.join(METHODS)}")
    check_seed(seed)
    yx = all_texels(model.height, model.width) if coords is None else np.asarray(coords)
    latents = model.latent_map[yx[:, 0], yx[:, 1]].astype(np.float64)
    if len(latents) < 3:
        raise UsageError(None, f"{len(latents)} texels", "choose 3 or more")
    # Both methods look for two dimensions.
    latents = np.pad(latents, ((0, 0), (0, max(0, 2 - latents.shape[1]))))
    if not np.ptp(latents, axis=0).any():
        # A black capture: all texels are alike, and so are their places.
        return np.zeros((len(latents), 2))
    if method == "pca":
        return _principal_plane(latents, seed)
    return (yield from _tsne(latents, seed))


def write_embedding(path: str | Path, points: ArrayLike, coords: ArrayLike) -> None:
    """Write a CSV file with the columns ``tsne_x,tsne_y,image_x,image_y``.

    Parameters
    ----------
    path : str or Path
    points : array_like, shape (T, 2)
    coords : array_like of int, shape (T, 2)
        Rows ``(y, x)``.
    """
    rows = zip(np.asarray(points), np.asarray(coords), strict=True)
    lines = [f"{px:.6g},{py:.6g},{x},{y}" for (px, py), (y, x) in rows]
    write_file(path, "\n".join([_HEADER, *lines, ""]).encode())


def read_embedding(
    path: str | Path, height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Read a CSV file with the columns ``tsne_x,tsne_y,image_x,image_y``.

    Parameters
    ----------
    path : str or Path
        Further columns are passed over.
    height, width : int
        Size of the surface its texels must lie in.

    Returns
    -------
    points : ndarray, shape (T, 2)
    coords : ndarray, shape (T, 2)
        Rows ``(y, x)``.

    Raises
    ------
    CoordinatesError
        Naming the line at fault.
    """
    try:
        rows = csv.reader(Path(path).read_text(encoding="utf-8-sig").splitlines())
        header, lines = next(rows, []), list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CoordinatesError(path, f"it cannot be read ({reason})", "check the path") from error
    if header[:4] != _HEADER.split(","):
        found = ",".join(header)[:60]
        raise CoordinatesError(
            path, f"line 1 is {found!r}, expected the header {_HEADER}", "write it with embed"
        )
    points, coords = np.zeros((len(lines), 2)), np.zeros((len(lines), 2), dtype=np.intp)
    for i, line in enumerate(lines):
        try:
            points[i] = [float(cell) for cell in line[:2]]
            x, y = int(line[2]), int(line[3])
            if not np.isfinite(points[i]).all():
                raise ValueError("not a number")
        except (ValueError, IndexError) as error:
            raise CoordinatesError(
                path,
                f"line {i + 2} is {','.join(line)[:60]!r}, expected two numbers and two integers",
                "correct the line",
            ) from error
        if not (0 <= x < width and 0 <= y < height):
            raise CoordinatesError(
                path,
                f"line {i + 2}: x={x}, y={y} lies outside the {width} x {height} image",
                "use the embedding of this surface",
            )
        coords[i] = y, x
    return points, coords


def _principal_plane(latents: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.decomposition import PCA

    return np.asarray(PCA(2, random_state=seed).fit_transform(latents))


def _tsne(latents: NDArray[np.float64], seed: int) -> Job[NDArray[np.float64]]:
    from openTSNE import TSNEEmbedding, affinity, initialization

    total = sum(phase.iterations for phase in _PHASES)
    yield Progress("embed", 0, total)
    neighbours = affinity.PerplexityBasedNN(
        latents,
        perplexity=min(_PERPLEXITY, (len(latents) - 1) / 3.0),
        n_jobs=-1,
        random_state=seed,
    )
    embedding = TSNEEmbedding(
        initialization.pca(latents, random_state=seed), neighbours, n_jobs=-1, random_state=seed
    )
    done = 0
    for phase in _PHASES:
        # In short runs, so that the job can report and be abandoned between them.
        for _ in range(0, phase.iterations, _STRIDE):
            embedding.optimize(
                _STRIDE, exaggeration=phase.exaggeration, momentum=phase.momentum, inplace=True
            )
            done += _STRIDE
            yield Progress("embed", done, total)
    return np.asarray(embedding, dtype=np.float64)
