"""What the images of a capture say about themselves: whether they agree, and the notes on it.

Orientation tags that differ within a capture are ambiguous. Either the images were stored turned,
and the tags are right, or a camera that looks straight down never moved, and its sensor of gravity
wavered between two values. The pixels decide: the edges of the surface lie at the same places in
all images if they are turned in the right way. So the tags are followed unless the images agree
clearly better when all are turned alike.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.formats.images.orientation import UPRIGHT, swaps_axes, turned
from napari_btf.formats.images.types import ImageFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_btf.formats.images.types import ImageHeader

__all__ = ["common_orientation", "sentences"]

_OF_EACH = 3
"""Images of each orientation that are decoded to compare them."""
_ACROSS = 128
"""Pixels to which the longer side is reduced for this."""
_CLEARLY = 0.05
"""Difference of correlations from which one way to turn the images counts as the better one."""


def common_orientation(
    tags: Sequence[int | None], stored: Callable[[int], NDArray[Any]]
) -> int | None:
    """Return the orientation by which all images are turned in spite of their differing tags.

    Parameters
    ----------
    tags : sequence of int or None
        Orientation of each image; None for an unreadable image.
    stored : callable
        Decodes image ``i`` without turning it; called for a few images, only if tags differ.

    Returns
    -------
    int or None
        None if each image is turned by its own tag.
    """
    groups: dict[int, list[int]] = {}
    for i, tag in enumerate(tags):
        if tag is not None:
            groups.setdefault(tag, []).append(i)
    # Tags that swap the axes of some images only would leave stored images of different sizes.
    if len(groups) < 2 or len({swaps_axes(tag) for tag in groups}) > 1:
        return None
    most = max(groups, key=lambda tag: (len(groups[tag]), -tag))
    try:
        pixels = {tag: [stored(i) for i in _spread(members)] for tag, members in groups.items()}
        alike = {tag: _edges([turned(x, most) for x in found]) for tag, found in pixels.items()}
        by_tag = {tag: _edges([turned(x, tag) for x in found]) for tag, found in pixels.items()}
    # Damaged images, or images of different sizes, are reported elsewhere.
    except (ImageFileError, OSError, ValueError):
        return None
    others = [tag for tag in groups if tag != most]
    gain = [_likeness(alike[most], alike[t]) - _likeness(by_tag[most], by_tag[t]) for t in others]
    return most if np.mean(gain) > _CLEARLY else None


def sentences(headers: Sequence[ImageHeader], turn: int | None) -> list[str]:
    """Return notes on orientation, profiles and bits of the images of a capture.

    Parameters
    ----------
    headers : sequence of ImageHeader
    turn : int or None
        The result of `common_orientation`.
    """
    notes = []
    count = sum(found.orientation != UPRIGHT for found in headers)
    if turn is not None:
        how = "none was turned" if turn == UPRIGHT else "all were turned alike"
        notes.append(
            f"the orientation tags of the images differ, but their pixels agree as they are "
            f"stored: {how}"
        )
    elif count:
        notes.append(f"{_some(count, len(headers))} were turned upright by their orientation tag")
    said = Counter(phrase for found in headers for phrase in found.said)
    notes += [f"{_some(number, len(headers))} {phrase}" for phrase, number in said.most_common(5)]
    if len(said) > 5:
        notes.append(f"the images state {len(said) - 5} further things of this kind")
    return notes


def _some(count: int, of: int) -> str:
    return "the images" if count == of else f"{count} of {of} images"


def _spread(members: Sequence[int]) -> list[int]:
    places = np.linspace(0, len(members) - 1, _OF_EACH).round().astype(int)
    return [members[i] for i in dict.fromkeys(places.tolist())]


def _edges(images: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the strength of edges in the mean of images, reduced to few pixels.

    Edges are compared rather than brightness, because the light moves from image to image.
    """
    grey = np.mean([image.mean(axis=-1) for image in images], axis=0)
    step = max(1, -(-max(grey.shape) // _ACROSS))
    height, width = (max(1, length // step) for length in grey.shape)
    grey = grey[: height * step, : width * step]
    grey = grey.reshape(height, -1, width, grey.shape[1] // width).mean(axis=(1, 3))
    edges: NDArray[np.float64] = np.hypot(*np.gradient(grey)) if min(grey.shape) > 1 else grey
    return edges


def _likeness(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return float(np.sum(a * b)) / size if size > 0 else 0.0
