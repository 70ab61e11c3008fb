"""The parallax codec: it finds where a view ray meets the surface, and the colour there.

Seen from the side, a texel of the reference plane shows another piece of the surface than from the
front. A small network gives each texel the height at which the view ray meets the surface, and the
latents are looked up at that place ("neural offset": Kuznetsov, Mullia, Xu, Hašan and Ramamoorthi,
"NeuMIP: Multi-resolution neural materials", 2021). Some latents are looked up a second time, from
there towards the light, where shadows come from. A third network turns all of them into a colour.

The latents of a texel are, in this order: those that the height is computed from, those looked up
where the view ray lands, and those looked up towards the light. What depends on the directions
alone is computed once per frame; what depends on the view alone is kept from frame to frame.

Decoding looks up the stored latents (codes of the file, as float32, float16 or 8 bits), because the
scale and offset of each latent can be part of the weights of the first layers.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from napari_btf.codec.decoding.compiled import decoding
from napari_btf.codec.decoding.layers import FrameLayers, Scratch
from napari_btf.codec.decoding.layers_storage import pack_layers
from napari_btf.codec.decoding.on_device import OnDevice
from napari_btf.codec.decoding.part import KeptParts
from napari_btf.codec.features import GRAZING, pair_features, tangent, view_features
from napari_btf.codec.latents.quantised import FreeLatents
from napari_btf.codec.model import CompressedBTF
from napari_btf.codec.parallax.in_torch import Directions, ParallaxForm
from napari_btf.codec.parallax.lookup import Lookup
from napari_btf.directions import disk_to_vectors, vectors_to_disk, within_radius

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import Shade
    from napari_btf.codec.decoding.part import Part
    from napari_btf.codec.latents.quantised import QuantisedLatents
    from napari_btf.codec.parallax.networks import Network

__all__ = ["ARCHITECTURE", "FrameNetworks", "ParallaxBTF"]

ARCHITECTURE = "parallax"

#: Disk radius of the views from which the depth is computed: 15 degrees from the normal.
_RING = 0.13


class FrameNetworks(NamedTuple):
    """The networks of one frame, for its light and view.

    Parameters
    ----------
    depth, shift : FrameLayers, optional
        None where nothing moves along the view, or the light.
    shade : FrameLayers
    along_view, along_light : ndarray of float32, shape (2,)
        Texels (down, right) for each texel of height.
    """

    depth: FrameLayers | None
    shift: FrameLayers | None
    shade: FrameLayers
    along_view: NDArray[np.float32]
    along_light: NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ParallaxBTF(CompressedBTF):
    """A latent map and three small networks, which give the surface under any light and view.

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
    has_small_latents: ClassVar[bool] = True

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

    @property
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""
        return self.latents.values()

    def _decoder_on(self, device: str) -> _OnDevice:
        return _OnDevice(self, device)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The description and the tensors of a file, see `CompressedBTF.pack`."""
        tensors = self.latents.quantised.tensors()
        description: dict[str, Any] = {
            "depth_latents": self.depth_latents,
            "light_latents": self.light_latents,
            "periodic": self.periodic,
            "light_radius": self.light_radius,
            "view_radius": self.view_radius,
        }
        for name, network in self.networks.items():
            for part, layers in (
                (name, network.layers),
                (f"{name}_modulation", network.modulation),
            ):
                said, packed = pack_layers(part, layers)
                description |= said
                tensors |= packed
        return description, tensors

    def decoder_parts(self) -> dict[str, Any]:
        """The decoder as plain values and arrays, see `CompressedBTF.decoder_parts`."""
        return {
            "light_radius": self.light_radius,
            "view_radius": self.view_radius,
            "view": self.view[0] if self.fixed_view else None,
            "depth_latents": self.depth_latents,
            "light_latents": self.light_latents,
            "periodic": self.periodic,
            "grazing": GRAZING,
            **{name: network.parts() for name, network in self.networks.items()},
        }

    @property
    def networks(self) -> dict[str, Network]:
        """The three networks by name."""
        return {"depth": self.depth, "shift": self.shift, "shade": self.shade}

    def with_latents(self, latent_map: ArrayLike) -> ParallaxBTF:
        """Return the same networks with other latents, shape (H, W, K)."""
        return replace(self, latents=FreeLatents(self.checked_latents(latent_map)))

    def of_texels(self, latents: ArrayLike) -> ParallaxBTF:
        """Return a row of texels, (T, K), each decoded as if the whole surface were like it.

        Then the latents where a ray lands are known, and no lookup is needed.
        """
        row = self.checked_latents(np.asarray(latents)[np.newaxis])
        ends = [self.depth_latents, self.latent_count - self.light_latents]
        _, of_view, of_light = np.split(row, ends, axis=2)
        # This is the order in which the shading network takes them.
        seen = FreeLatents(np.concatenate([of_light, of_view], axis=2))
        return replace(self, latents=seen, depth_latents=0, light_latents=0)

    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pairs that are decoded for given pairs, unit vectors of shape (..., 3)."""
        light = disk_to_vectors(within_radius(vectors_to_disk(light), self.light_radius))
        if self.fixed_view:
            return light, np.broadcast_to(self.view[0], np.shape(view)).copy()
        return light, disk_to_vectors(within_radius(vectors_to_disk(view), self.view_radius))

    def depth_map(self) -> NDArray[np.float32]:
        """Return the depth of the surface below the reference plane in texels, shape (H, W).

        This is the mean over eight views that are tilted by 15 degrees, or as far as was captured,
        because depth moves nothing in a view straight from the front.
        """
        if not self.depth_latents:
            return np.zeros((self.height, self.width), dtype=np.float32)
        angle = np.arange(8) * (np.pi / 4)
        ring = min(_RING, self.view_radius) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        latents = self.tables[0].reshape(-1, self.depth_latents).astype(np.float32)
        height = np.zeros((len(latents), 1), dtype=np.float32)
        for features in view_features(disk_to_vectors(ring)):
            height += self._layers("depth", features)(latents, Scratch())
        return (height / -8.0).reshape(self.height, self.width)

    @property
    def latents_by_use(self) -> list[NDArray[np.float32]]:
        """Latents for the height, for the view and for the light, each (H, W, K_i)."""
        ends = [self.depth_latents, self.latent_count - self.light_latents]
        return np.split(self.latent_map, ends, axis=2)

    @cached_property
    def tables(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Stored latents for the height, the view and the light, in their type in memory.

        The first has the shape (H, W, K_i). The other two have a border, as `Lookup.bordered` adds
        it, if rays move along the view or the light, else the same shape. The networks apply scale
        and offset.
        """
        ends = [self.depth_latents, self.latent_count - self.light_latents]
        values = self.latents.stored(self.latents_as).values
        of_depth, of_view, of_light = map(np.ascontiguousarray, np.split(values, ends, axis=2))
        return (
            of_depth,
            self.lookup.bordered(of_view) if self.depth_latents else of_view,
            self.lookup.bordered(of_light) if self.light_latents else of_light,
        )

    def for_frame(self, light: NDArray[np.float64], view: NDArray[np.float64]) -> FrameNetworks:
        """Return the networks for one pair of unit vectors, (3,)."""
        light, view = self.shown(light, view)
        features = pair_features(light, view)
        return FrameNetworks(
            depth=self._layers("depth", view_features(view)) if self.depth_latents else None,
            shift=self._layers("shift", features) if self.light_latents else None,
            shade=self._layers("shade", features),
            along_view=tangent(view),
            along_light=tangent(light),
        )

    @property
    def largest_value(self) -> float:
        """A bound of all values in the networks, whatever the directions are."""
        scale, offset = (part.astype(np.float64) for part in self._range)
        largest = np.abs(self.latents.stored(self.latents_as).values).max(axis=(0, 1))
        bounds = np.abs(offset) + np.abs(scale) * largest
        return max(
            network.reach(bounds[self._inputs(name)]) for name, network in self.networks.items()
        )

    def _inputs(self, name: str) -> NDArray[np.intp]:
        """Return the indices of the latents that one of the networks takes, in their order."""
        height, view, light = np.split(
            np.arange(self.latent_count),
            [self.depth_latents, self.latent_count - self.light_latents],
        )
        return {"depth": height, "shift": view, "shade": np.concatenate([light, view])}[name]

    def _layers(self, name: str, features: NDArray[np.float32]) -> FrameLayers:
        """Return one of the networks, for stored latents."""
        inputs, network = self._inputs(name), self.networks[name]
        scale, offset = self._range
        return network.for_frame(features, scale[inputs], offset[inputs])

    @cached_property
    def _range(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and offset of the stored latents, (K,) each."""
        stored = self.latents.stored(self.latents_as)
        return stored.scale, stored.offset

    @cached_property
    def lookup(self) -> Lookup:
        """The lookup for the size and the borders of this surface."""
        return Lookup(self.height, self.width, self.periodic)

    @contextmanager
    def _shading(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> Iterator[Shade]:
        """Rays that leave the part look up the latents of the whole surface."""
        view = self.shown(light, view)[1]
        frame = self.for_frame(light, view)
        networks = self.depth, self.shift, self.shade
        decoding(part.texels * sum(network.layers.products for network in networks))
        # One frame at a time, because the cache of a view is shared, and all cores are busy anyway.
        with self._room.lock:
            seen = self._room.seen(part, lambda: _Seen(self, part))
            is_known = seen.view is not None and np.array_equal(seen.view, view)
            # While it is being filled, the cache belongs to no view.
            seen.view = None
            yield self._shade(frame, seen, is_known)
            seen.view = view.copy()

    def _shade(self, frame: FrameNetworks, seen: _Seen, is_known: bool) -> Shade:
        along_view, along_light = frame.along_view[:, np.newaxis], frame.along_light[:, np.newaxis]
        k = self.light_latents

        def work(chunk: slice, scratch: Scratch, out: NDArray[np.float32]) -> None:
            # The latents for the light come first, then those for the view.
            both = seen.fetched_in(chunk, scratch)
            of_view, places = both[:, k:], seen.places[:, chunk]
            if not is_known and frame.depth is not None:
                height = frame.depth(seen.of_depth_in(chunk, scratch), scratch)[:, 0]
                np.multiply(height, along_view, out=places)
                places += seen.grid[:, chunk]
            if not (is_known and seen.keeps):
                if frame.depth is not None:
                    self.lookup.fetch(self.tables[1], places, of_view, scratch)
                else:
                    of_view[...] = seen.of_view[chunk]
            if frame.shift is not None:
                there = frame.shift(of_view, scratch)[:, 0] * along_light
                there += places
                self.lookup.fetch(self.tables[2], there, both[:, :k], scratch)
            frame.shade(both, scratch, out)

        return work

    def form(self, device: str = "cpu") -> ParallaxForm:
        """Return latents and networks as tensors on a torch device."""
        import torch

        def moved(array: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        stored = self.latents.stored(self.latents_as)
        ends = [self.depth_latents, self.latent_count - self.light_latents]
        flat = stored.values.reshape(-1, self.latent_count)
        scales, offsets = np.split(stored.scale, ends), np.split(stored.offset, ends)
        networks = {}
        for name, network in self.networks.items():
            for part, layers in (
                (name, network.layers),
                (f"{name}_modulation", network.modulation),
            ):
                networks[part] = [moved(array) for array in layers.in_turn]
        return ParallaxForm(
            (self.height, self.width),
            self.periodic,
            [moved(kind) for kind in np.split(flat, ends, axis=1)],
            networks,
            [(moved(scale), moved(offset)) for scale, offset in zip(scales, offsets, strict=True)],
        )

    @cached_property
    def _room(self) -> _Room:
        return _Room()


class _Seen:
    """A cache of where the rays of a view meet a part of the surface, and of the latents there.

    It serves frames in which only the light moves. If latents are to take little memory, only the
    places are kept.
    """

    def __init__(self, model: ParallaxBTF, part: Part) -> None:
        def cut(image: NDArray[Any]) -> NDArray[Any]:
            # The whole surface is not copied.
            return np.ascontiguousarray(part.cut(image)).reshape(part.texels, image.shape[2])

        of_depth, of_view, _ = model.tables
        self._columns = model.latent_count - model.depth_latents
        self.view: NDArray[np.float64] | None = None
        self.of_depth = cut(of_depth)
        #: Rows and columns of the texels, (2, T).
        self.grid = np.stack(np.meshgrid(part.rows, part.columns, indexing="ij")).astype(np.float32)
        self.grid = self.grid.reshape(2, -1)
        #: Those where rays land.
        self.places = self.grid.copy()
        if not model.depth_latents:
            self.of_view = cut(of_view)
        #: Whether latents are kept.
        self.keeps = of_depth.dtype == np.float32
        self._fetched = np.empty((part.texels if self.keeps else 0, self._columns), np.float32)

    def fetched_in(self, chunk: slice, scratch: Scratch) -> NDArray[np.float32]:
        """Return the array for the fetched latents of a chunk, (T, K_l + K_v).

        It contains them already if they are kept.
        """
        if self.keeps:
            return self._fetched[chunk]
        return scratch("fetched", chunk.stop - chunk.start, self._columns)

    def of_depth_in(self, chunk: slice, scratch: Scratch) -> NDArray[np.float32]:
        """Return the latents for the height of a chunk, (T, K_d)."""
        latents = self.of_depth[chunk]
        if latents.dtype == np.float32:
            return latents
        room = scratch("of depth", *latents.shape)
        room[...] = latents
        return room


class _Room:
    """The cache of a model: what is kept of the latest views from frame to frame."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.seen: KeptParts[_Seen] = KeptParts()

    def __reduce__(self) -> tuple[type[_Room], tuple[()]]:
        # A copy of a model, or one sent to another process, starts with an empty cache of its own.
        return _Room, ()


class _OnDevice(OnDevice["ParallaxBTF"]):
    @cached_property
    def _form(self) -> ParallaxForm:
        return self._model.form(self._device)

    def _shade(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> torch.Tensor:
        light, view = (array[np.newaxis] for array in self._model.shown(light, view))
        tables = view_features(view), pair_features(light, view), tangent(view), tangent(light)
        flat = np.add.outer(np.asarray(part.rows) * self._model.width, np.asarray(part.columns))
        texels = self.to(flat.reshape(1, -1).astype(np.int64))
        return self._form.colours(texels, Directions(*map(self.to, tables)))[0]
