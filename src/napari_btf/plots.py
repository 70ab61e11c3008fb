"""Figures as PNG files, drawn without a display: contact sheet, embedding plots, error image."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.directions import angles_to_vectors, format_angles, vectors_to_angles
from napari_btf.embedding.colours import Colours, Labels, Scale
from napari_btf.evaluate import psnr, ssim
from napari_btf.files import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec import CompressedBTF

__all__ = ["contact_sheet", "plot_embedding", "plot_error", "plot_map", "typical_observations"]

#: Factor by which the errors in a contact sheet are multiplied, to make them visible.
ERROR_GAIN = 4.0

#: Largest number of labels in a legend.
MOST_NAMES = 24


def typical_observations(btf: BTF, count: int = 6) -> list[int]:
    """Choose observations that show the range of a capture.

    The lights go from steep to grazing, and the views alternate.

    Parameters
    ----------
    btf : BTF
    count : int
        Largest number of observations.

    Returns
    -------
    list of int
        Indices of observations, each once.
    """
    theta, _ = vectors_to_angles(btf.light)
    views = btf.grid.views
    chosen: list[int] = []
    for i, wanted in enumerate(np.linspace(0.0, float(theta.max()), count)):
        view = views[(i * max(1, len(views) // count)) % len(views)]
        chosen.append(btf.nearest(angles_to_vectors(wanted, 60.0 + 137.5 * i), view))
    return list(dict.fromkeys(chosen))


def contact_sheet(
    model: CompressedBTF, btf: BTF, observations: Sequence[int], path: str | Path
) -> None:
    """Draw the captured image, the decoded image and their difference, one column an observation.

    Parameters
    ----------
    model : CompressedBTF
    btf : BTF
        A capture of the same size as the model.
    observations : sequence of int
        Indices of the observations to draw.
    path : str or Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    rows = ("captured", "decoded", f"error × {ERROR_GAIN:g}")
    wide = 1.9 * len(observations) + 0.5
    tall = 1.9 * 3 * btf.height / btf.width + 1.0
    figure = Figure(figsize=(wide, tall), layout="compressed")
    axes = figure.subplots(3, len(observations), squeeze=False)
    for column, i in enumerate(observations):
        captured = btf.values.decode(btf.values.encode(btf.frame(i)))
        decoded = model.decode(btf.light[i], btf.view[i])
        error = np.clip(np.abs(decoded - captured) * ERROR_GAIN, 0.0, 1.0)
        images: tuple[NDArray[Any], ...] = (captured, decoded, error)
        for row, image in enumerate(images):
            axis = axes[row, column]
            axis.imshow(_displayable(image), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
        axes[0, column].set_title(
            f"light {format_angles(btf.light[i])}\nview {format_angles(btf.view[i])}", fontsize=8
        )
        axes[2, column].set_xlabel(
            f"{psnr(decoded, captured):.1f} dB, SSIM {ssim(decoded, captured):.2f}", fontsize=8
        )
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(name, fontsize=9)
    _save(figure, path)


def plot_embedding(
    points: ArrayLike, colours: NDArray[np.float64], image: NDArray[np.float64], path: str | Path
) -> None:
    """Draw an image of the surface, and beside it an embedding with each texel in its own colour.

    Parameters
    ----------
    points : array_like, shape (T, 2)
    colours : ndarray, shape (T, 3)
        Colours of the points, 0..1.
    image : ndarray, shape (H, W, C)
        Image of the surface, 0..1.
    path : str or Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    points = np.asarray(points)
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    left.imshow(_displayable(image), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    left.set_title("surface, mean of the captured directions")
    size = float(np.clip(4e4 / len(points), 0.3, 12.0))
    right.scatter(*points.T, c=colours, s=size, linewidths=0)
    right.set_facecolor("0.15")
    right.set_title(f"latents of {len(points):,} texels, each in its own colour")
    right.set_aspect("equal", adjustable="datalim")
    for axis in (left, right):
        axis.set_xticks([])
        axis.set_yticks([])
    _save(figure, path)


def plot_map(points: ArrayLike, colours: Colours, title: str, path: str | Path) -> None:
    """Draw an embedding in the given colours, with their legend.

    Parameters
    ----------
    points : array_like, shape (T, 2)
    colours : Colours
        Colours of the points, made by a function of `napari_btf.embedding.colours`.
    title : str
        Title above the plot.
    path : str or Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    points = np.asarray(points)
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axis = figure.subplots()
    size = float(np.clip(6e4 / len(points), 0.4, 20.0))
    # In a random order, so that no label lies on top of all others.
    order = np.random.default_rng(0).permutation(len(points))
    x, y = points[order].T
    axis.scatter(x, y, c=colours.rgb[order] / 255.0, s=size, linewidths=0)
    # Dark points, light points and the grey of unlabelled texels all contrast with this grey.
    axis.set_facecolor("0.82")
    axis.set_title(title)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xticks([])
    axis.set_yticks([])
    _legend(figure, axis, colours.legend)
    _save(figure, path)


def _legend(figure: Figure, axis: Axes, legend: Scale | Labels | None) -> None:
    """Add a colour bar or the names of labels; nothing for None."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.lines import Line2D

    if isinstance(legend, Scale):
        scale = ScalarMappable(Normalize(legend.low, legend.high), legend.colormap)
        figure.colorbar(scale, ax=axis, label=legend.name)
    elif isinstance(legend, Labels):
        dots = [
            Line2D([], [], linestyle="", marker="o", color=rgb / 255.0, label=name)
            for name, rgb in zip(legend.names[:MOST_NAMES], legend.rgb, strict=False)
        ]
        figure.legend(handles=dots, loc="outside right upper", frameon=False)


def plot_error(error: NDArray[np.float64], path: str | Path) -> None:
    """Draw the error of each texel as a heat map with a colour bar.

    Parameters
    ----------
    error : ndarray, shape (H, W)
        Mean absolute error of each texel; see `napari_btf.evaluate.Evaluation`.
    path : str or Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    height, width = error.shape
    figure = Figure(figsize=(6.5, max(1.5, min(5.2 * height / width, 20.0))), layout="constrained")
    axis = figure.subplots()
    # The scale ends at a percentile, because a few outliers would leave all other texels black.
    most = float(np.percentile(error, 99.5)) or 1.0
    extend = "max" if error.max() > most else "neither"
    drawn = axis.imshow(error, cmap="inferno", vmin=0.0, vmax=most, interpolation="nearest")
    figure.colorbar(drawn, ax=axis, extend=extend, label="mean absolute error of a texel")
    axis.set_xticks([])
    axis.set_yticks([])
    _save(figure, path)


def _displayable(image: NDArray[Any]) -> NDArray[Any]:
    """Take the single channel or the first three of an image (H, W, C), as imshow needs them."""
    return image[:, :, 0] if image.shape[2] == 1 else image[:, :, :3]


def _save(figure: Figure, path: str | Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130, format="png")
    write_file(path, buffer.getvalue())
