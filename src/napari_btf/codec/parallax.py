"""The parallax codec: where a ray meets the surface first, then what is there. In numpy.

Seen from the side, a texel of the reference plane shows another piece of the surface than from
the front. A small network gives each texel the height at which the view ray meets the surface;
the latents are fetched where that is ("neural offset": Kuznetsov, Mullia, Xu, Hašan and
Ramamoorthi, "NeuMIP: Multi-resolution neural materials", 2021). Some latents are fetched a second
time, from there towards the light, where shadows come from. A network turns them into a colour.

The latents of a texel are, in this order: those the height is read from, those fetched where the
view ray lands, those fetched towards the light. What depends on the directions alone is computed
once per frame; what depends on the view alone is kept from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_btf.codec.basis import _within
from napari_btf.codec.layers import Scratch, in_chunks, scratches
from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.parallax_lookup import Lookup
from napari_btf.codec.parallax_networks import (
    Network,
    pair_features,
    tangent,
    view_features,
)
from napari_btf.codec.part import KeptParts, Part
from napari_btf.codec.quantised import FreeLatents
from napari_btf.directions import disk_to_vectors, vectors_to_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.quantised import QuantisedLatents

__all__ = ["ARCHITECTURE", "ParallaxBTF"]

ARCHITECTURE = "parallax"

#: The depth is read on a ring of views this far from the normal on the disk, 15 degrees.
_RING = 0.13


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ParallaxBTF(CompressedBTF):
    """Latent map + three small networks: the whole surface under any light and view.

    Parameters
    ----------
    latents : QuantisedLatents or FreeLatents
        Of (H, W, K).
    depth_latents, light_latents : int
        How many of the K, at the beginning, the height is read from, and how many, at the end,
        are fetched towards the light. Without them nothing is moved along view or light.
    depth, shift, shade : Network
        For the height where the view ray meets the surface; for the distance, as a height, of the
        place towards the light; and for the colour. Without layers if unused.
    periodic : bool
        Whether the surface goes on beyond its borders as at the opposite ones.
    light_radius, view_radius : float
        Largest disk radii captured. Directions beyond are moved onto them.
    """

    latents: QuantisedLatents | FreeLatents
    depth_latents: int
    light_latents: int
    depth: Network
    shift: Network
    shade: Network
    periodic: bool
    light_radius: float
    view_radius: float

    architecture: ClassVar[str] = ARCHITECTURE

    @property
    def height(self) -> int:
        """Rows of the texel grid."""
        return self.latents.shape[0]

    @property
    def width(self) -> int:
        """Columns of the texel grid."""
        return self.latents.shape[1]

    @property
    def latent_count(self) -> int:
        """Latents per texel of all kinds, K."""
        return self.latents.shape[2]

    @property
    def channels(self) -> int:
        """Values per texel of a decoded image."""
        return len(self.shade.layers.biases[-1])

    @property
    def latent_bytes(self) -> int:
        """Bytes of the latents in a file."""
        return self.latents.nbytes

    @cached_property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""
        return self.latents.values()

    def with_latents(self, latent_map: ArrayLike) -> ParallaxBTF:
        """The same networks with other latents, shape (H, W, K)."""
        return replace(self, latents=FreeLatents(self.checked_latents(latent_map)))

    def of_texels(self, latents: ArrayLike) -> ParallaxBTF:
        """A row of texels, (T, K), each decoded as if all around it were as it is.

        Then what lies where a ray lands is known, and nothing needs to be moved.
        """
        row = self.checked_latents(np.asarray(latents)[np.newaxis])
        ends = [self.depth_latents, self.latent_count - self.light_latents]
        _, of_view, of_light = np.split(row, ends, axis=2)
        # The order in which the last network takes them.
        seen = FreeLatents(np.concatenate([of_light, of_view], axis=2))
        return replace(self, latents=seen, depth_latents=0, light_latents=0)

    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The pairs that are decoded when these are asked for, unit vectors of shape (..., 3)."""
        light = disk_to_vectors(_within(vectors_to_disk(light), self.light_radius))
        if self.fixed_view:
            return light, np.broadcast_to(self.view[0], np.shape(view)).copy()
        return light, disk_to_vectors(_within(vectors_to_disk(view), self.view_radius))

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Images under pairs of unit vectors, shapes (P, 3), one after the other.

        Yields
        ------
        ndarray, shape (H, W, C)
            In the fitted domain (see `napari_btf.values.ValueScale`), not clipped.
        """
        return self.shaded_part(light, view, Part.of(self.height, self.width))

    def shaded_part(
        self, light: ArrayLike, view: ArrayLike, part: Part
    ) -> Iterator[NDArray[np.float32]]:
        """The images of `shaded` at the texels of a part, (H', W', C).

        Rays that leave the part find the latents of the whole surface.
        """
        for one_light, one_view in zip(*self.shown(light, view), strict=True):
            yield self._shade(one_light, one_view, part)

    def depth_map(self) -> NDArray[np.float32]:
        """How far the surface lies below the reference plane, shape (H, W), in texels.

        Straight from the front nothing moves, whatever its depth. So this is the mean over eight
        views tilted by 15 degrees, or as far as was captured.
        """
        if not self.depth_latents:
            return np.zeros((self.height, self.width), dtype=np.float32)
        angle = np.arange(8) * (np.pi / 4)
        ring = min(_RING, self.view_radius) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        latents = self._flat[0]
        height = np.zeros((len(latents), 1), dtype=np.float32)
        for features in view_features(disk_to_vectors(ring)):
            height += self.depth.for_frame(features)(latents, Scratch())
        return (height / -8.0).reshape(self.height, self.width)

    @cached_property
    def _flat(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Latents for the height, for the view and for the light, each (H * W, K_i).

        Those that are fetched have a border. The first two have a last column of ones (see
        `FrameLayers`): fetched between texels it is 1 as well.
        """
        flat = self.latent_map.reshape(-1, self.latent_count)
        ends = [self.depth_latents, self.latent_count - self.light_latents]
        of_depth, of_view, of_light = np.split(flat, ends, axis=1)
        ones = np.ones((len(flat), 1), dtype=np.float32)
        of_view = np.concatenate([of_view, ones], axis=1)
        return (
            np.concatenate([of_depth, ones], axis=1),
            # Nothing is fetched where nothing moves.
            self._lookup.bordered(of_view) if self.depth_latents else of_view,
            self._lookup.bordered(of_light) if self.light_latents else of_light,
        )

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.height, self.width, self.periodic)

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> NDArray[np.float32]:
        # One frame at a time: its arrays are used again, and all cores are at work anyway.
        with self._room.lock:
            return self._shade_alone(light, view, part)

    def _shade_alone(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> NDArray[np.float32]:
        seen = self._seen_from(view, part)
        features = pair_features(light, view)
        shade = self.shade.for_frame(features)
        shift = self.shift.for_frame(features) if self.light_latents else None
        step = tangent(light)[:, np.newaxis]
        out = np.empty((seen.places.shape[1], self.channels), dtype=np.float32)

        def work(chunk: slice, scratch: Scratch) -> None:
            latents = seen.fetched[chunk]
            if shift is not None:
                there = shift(latents, scratch)[:, 0] * step
                there += seen.places[:, chunk]
                k = self.light_latents
                both = scratch("both", len(latents), k + latents.shape[1])
                self._lookup.fetch(self._flat[2], there, both[:, :k], scratch)
                both[:, k:] = latents
                latents = both
            shade(latents, scratch, out[chunk])

        in_chunks(len(out), work, self._room.scratch)
        return out.reshape(*part.shape, self.channels)

    def _seen_from(self, view: NDArray[np.float64], part: Part) -> _Seen:
        """What lies where the view rays through a part land.

        It is kept for the latest view of the latest parts, for when only the light moves.
        """
        seen = self._room.seen(part, lambda: _Seen(self, part))
        if seen.view is not None and np.array_equal(seen.view, view):
            return seen
        if self.depth_latents:
            depth = self.depth.for_frame(view_features(view))
            step = tangent(view)[:, np.newaxis]
            # Half done, it is no view's.
            seen.view = None

            def work(chunk: slice, scratch: Scratch) -> None:
                places = seen.places[:, chunk]
                np.multiply(depth(seen.of_depth[chunk], scratch)[:, 0], step, out=places)
                places += seen.grid[:, chunk]
                self._lookup.fetch(self._flat[1], places, seen.fetched[chunk], scratch)

            in_chunks(len(seen.fetched), work, self._room.scratch)
        seen.view = view.copy()
        return seen

    @cached_property
    def _room(self) -> _Room:
        return _Room()


class _Seen:
    """What lies where the rays of a view through a part of the surface land.

    ``places`` are rows and columns, (2, T), ``fetched`` the latents there and ones, (T, K_v + 1).
    """

    def __init__(self, model: ParallaxBTF, part: Part) -> None:
        def cut(flat: NDArray[np.float32]) -> NDArray[np.float32]:
            image = flat.reshape(model.height, model.width, -1)
            # Of the whole surface without a copy.
            return np.ascontiguousarray(part.cut(image)).reshape(-1, flat.shape[1])

        of_depth, of_view, _ = model._flat
        self.view: NDArray[np.float64] | None = None
        rows, columns = np.meshgrid(part.rows, part.columns, indexing="ij")
        self.grid = np.stack([rows.ravel(), columns.ravel()]).astype(np.float32)
        self.of_depth = cut(of_depth)
        if model.depth_latents:
            self.places = np.empty_like(self.grid)
            self.fetched = np.empty((self.grid.shape[1], of_view.shape[1]), dtype=np.float32)
        else:
            self.places, self.fetched = self.grid, cut(of_view)


class _Room:
    """What is kept from frame to frame: the latest views' latents, and arrays to work in."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.scratch = scratches()
        self.seen: KeptParts[_Seen] = KeptParts()

    def __reduce__(self) -> tuple[type[_Room], tuple[()]]:
        # A copy of a model, or one sent to another process, starts with a room of its own.
        return _Room, ()
