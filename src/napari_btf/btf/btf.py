"""The class `BTF`: lazy observations with their light and view directions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_btf.btf.direction_grid import DirectionGrid
from napari_btf.btf.observations import Frames, Gatherer, Picker, read_in_order
from napari_btf.btf.physical_size import check_mm_per_texel
from napari_btf.directions import angle_between, format_angles, group_directions
from napari_btf.errors import CaptureError, UsageError
from napari_btf.progress import Progress, finish, is_report_due
from napari_btf.values import ValueScale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dask.array as da
    from numpy.typing import ArrayLike, NDArray

    from napari_btf.directions import AzimuthConvention
    from napari_btf.progress import Job

__all__ = ["BTF", "DirectionGrid", "Frames", "Gatherer", "into_memory"]

#: `BTF.in_memory` reads a BTF into memory if its pixel values take at most this many bytes.
SMALL_BYTES = 512 * 2**20


@dataclass(frozen=True, eq=False, repr=False)
class BTF:
    """Reflectance images of one surface, one per (light, view) pair.

    Parameters
    ----------
    frames : Frames, shape (N, H, W, C)
        The observations; unsigned integers, or floats of linear radiance.
    light, view : ndarray, shape (N, 3)
        Unit vectors from the surface (see `napari_btf.directions`).
    source : str
        Path of the capture.
    format : str
        Name of the capture format.
    notes : tuple of str
        Sentences about what the reader tolerated or left out.
    gatherer : Gatherer, optional
        Faster access to the texels of ``frames`` than reading every image.
    channel_names : tuple of str
        Channel names of a spectral capture, such as "400 nm"; empty for grey and RGB.
    mm_per_texel : float, optional
        Distance of neighbouring texels on the surface in millimetres, if it is known.
    """

    frames: Frames
    light: NDArray[np.float64]
    view: NDArray[np.float64]
    source: str = ""
    format: str = "memory"
    notes: tuple[str, ...] = ()
    gatherer: Gatherer | None = None
    channel_names: tuple[str, ...] = ()
    mm_per_texel: float | None = None

    def __post_init__(self) -> None:
        check_mm_per_texel(self.mm_per_texel, self.source or None)
        if len(self.frames.shape) != 4 or not self.frames.shape[0]:
            raise UsageError(
                self.source or None,
                f"a BTF needs observations of shape (N, H, W, C), got {self.frames.shape}",
            )
        if self.light.shape != (len(self), 3) or self.view.shape != (len(self), 3):
            raise UsageError(
                self.source or None,
                f"{len(self)} observations need as many light and view vectors, "
                f"got {self.light.shape} and {self.view.shape}",
            )
        if np.dtype(self.frames.dtype).kind not in "uf":
            raise CaptureError(
                self.source or None,
                f"the values are {self.frames.dtype}, expected unsigned integers or floats",
                "convert the images to 8 or 16 bits or to floating point",
            )

    def __repr__(self) -> str:
        return (
            f"<BTF {self.name!r}: {len(self)} observations of {self.width} x {self.height} "
            f"texels, {self.channels} channels, {self.frames.dtype}>"
        )

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def name(self) -> str:
        """Display name: the last part of the source path, without ".zip" or ".zarr"."""
        return Path(self.source).name.removesuffix(".zip").removesuffix(".zarr")

    @property
    def height(self) -> int:
        """Number of rows of the texel grid."""
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        """Number of columns of the texel grid."""
        return int(self.frames.shape[2])

    @property
    def channels(self) -> int:
        """Number of values per texel and observation."""
        return int(self.frames.shape[3])

    @cached_property
    def values(self) -> ValueScale:
        """The conversion between stored values and the values that models fit."""
        return ValueScale(np.dtype(self.frames.dtype))

    @property
    def color_space(self) -> str:
        """Colour space of the pixels: "linear" for floats, "as captured" (mostly sRGB) else."""
        return "linear" if self.values.is_float else "as captured"

    @property
    def nbytes(self) -> int:
        """Size of all pixel values in bytes, uncompressed."""
        return int(np.prod(self.frames.shape)) * int(np.dtype(self.frames.dtype).itemsize)

    def frame(self, i: int) -> NDArray[Any]:
        """Read observation ``i`` into an array of shape (H, W, C)."""
        return np.asarray(self.frames[i])

    def iter_frames(self, start: int = 0) -> Iterator[NDArray[Any]]:
        """Iterate over the observations from ``start`` on, each (H, W, C), and prefetch a few.

        Only a few observations are in memory at a time, however large the BTF is.
        """
        return read_in_order(self.frames, start)

    def in_memory(self, limit: int = SMALL_BYTES) -> BTF:
        """Return a copy in memory if the values take at most ``limit`` bytes, else this BTF."""
        return finish(into_memory(self, limit))

    def select(self, observations: ArrayLike) -> BTF:
        """Return a BTF of some of the observations, as lazy as this one.

        Parameters
        ----------
        observations : array_like
            Indices, or a boolean mask of shape (N,).
        """
        keep = np.arange(len(self))[np.asarray(observations)]
        gatherer = self._gatherer
        if gatherer is not None:
            gatherer = gatherer.select(keep)
            frames = gatherer.frames
        elif isinstance(self.frames, np.ndarray):
            frames = self.frames[keep]
        else:
            frames = Picker(self.frames, keep)
        return replace(
            self,
            frames=frames,
            light=self.light[keep],
            view=self.view[keep],
            gatherer=gatherer,
        )

    def with_azimuth(self, convention: AzimuthConvention) -> BTF:
        """Return a BTF whose directions are converted from another azimuth convention.

        The observations stay the same and as lazy as before.

        Parameters
        ----------
        convention : AzimuthConvention
            The convention in which the capture gave its azimuths.
        """
        if convention.is_identity:
            return self
        return replace(
            self,
            light=convention.apply(self.light),
            view=convention.apply(self.view),
            notes=(*self.notes, f"azimuths are taken as {convention}"),
        )

    @property
    def _gatherer(self) -> Gatherer | None:
        if self.gatherer is not None and self.gatherer.frames is self.frames:
            return self.gatherer
        return None

    def texels(
        self, coords: ArrayLike, progress: Callable[[int, int], object] | None = None
    ) -> NDArray[Any]:
        """Gather the ABRDFs of some texels.

        Parameters
        ----------
        coords : array_like of int, shape (T, 2)
            Rows ``(y, x)``.
        progress : callable, optional
            Called as ``progress(done, total)`` after each step.

        Returns
        -------
        ndarray, shape (T, N, C)
            Values in the data type of the observations.
        """
        yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
        out = np.empty((len(yx), len(self), self.channels), dtype=self.frames.dtype)
        for done, total in self.gather(yx, out):
            if progress is not None:
                progress(done, total)
        return out

    def gather(self, coords: ArrayLike, out: NDArray[Any]) -> Iterator[tuple[int, int]]:
        """Fill an array with the ABRDFs of some texels, step by step.

        This reads one image after the other. If the capture has a gatherer (a texel store has),
        it reads only the parts that contain the texels.

        Parameters
        ----------
        coords : array_like of int, shape (T, 2)
            Rows ``(y, x)``.
        out : ndarray, shape (T, N, C)
            Array of any data type; complete after the last step.

        Yields
        ------
        done, total : int
            Number of steps done and of all steps.

        Raises
        ------
        UsageError
            If a texel lies outside the image.
        """
        yx = np.asarray(coords, dtype=np.intp).reshape(-1, 2)
        if len(yx) and (
            yx.min() < 0 or yx[:, 0].max() >= self.height or yx[:, 1].max() >= self.width
        ):
            raise UsageError(
                self.source or None,
                f"texel coordinates lie outside the {self.width} x {self.height} image",
            )
        gatherer = self._gatherer
        if gatherer is not None:
            yield from gatherer.gather(yx, out)
            return
        for i, frame in enumerate(self.iter_frames()):
            out[:, i] = frame[yx[:, 0], yx[:, 1]]
            yield i + 1, len(self)

    @cached_property
    def grid(self) -> DirectionGrid:
        """The arrangement of the observations as views x lights."""
        views, lights = group_directions(self.view), group_directions(self.light)
        return DirectionGrid(views.vectors, lights.vectors, views.member_of, lights.member_of)

    def stack(self) -> da.Array:
        """Return the observations as a lazy array for display.

        Returns
        -------
        dask.array.Array
            Shape (V, L, H, W, C) in the order of `grid`, with black images for missing pairs. If
            most pairs are missing, shape (N, H, W, C) in the order of the observations.
        """
        import dask.array as da

        index = self.grid.observations if self.is_grid else np.arange(len(self))
        source = Picker(self.frames, index)
        chunks = (1,) * index.ndim + self.frames.shape[1:]
        stacked: da.Array = da.from_array(source, chunks=chunks, asarray=False, meta=source.meta)
        return stacked

    @property
    def is_grid(self) -> bool:
        """Whether at least half of all (view, light) pairs were captured."""
        views, lights = self.grid.shape
        return 2 * self.grid.missing_pairs <= views * lights

    def nearest(self, light: ArrayLike, view: ArrayLike) -> int:
        """Return the index of the observation with the least sum of light and view angles."""
        return int(np.argmin(angle_between(self.light, light) + angle_between(self.view, view)))

    def info(self) -> dict[str, Any]:
        """Return facts about the capture as plain Python values.

        Returns
        -------
        dict
            The keys ``format images views lights height width channels dtype bytes missing_pairs
            duplicate_pairs``, ``channel_names`` for a spectral capture, and ``mm_per_texel`` if it
            is known. ``bytes`` is the size of all pixel values, uncompressed.
        """
        grid = self.grid
        facts = {
            "format": self.format,
            "images": len(self),
            "views": len(grid.views),
            "lights": len(grid.lights),
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "dtype": str(self.frames.dtype),
            "bytes": self.nbytes,
            "missing_pairs": grid.missing_pairs,
            "duplicate_pairs": grid.duplicate_pairs,
        }
        if self.channel_names:
            facts["channel_names"] = list(self.channel_names)
        if self.mm_per_texel is not None:
            facts["mm_per_texel"] = self.mm_per_texel
        return facts

    def oddities(self) -> list[str]:
        """Return sentences about repeated and missing pairs, each with up to three examples."""
        grid = self.grid
        found = []
        if grid.duplicate_pairs:
            repeated = [(grid.view_of[i], grid.light_of[i]) for i in grid.duplicates[:3]]
            found.append(
                f"{grid.duplicate_pairs} observations repeat a pair, of which the first is shown: "
                + "; ".join(itertools.starmap(self._pair, repeated))
            )
        if grid.missing_pairs and self.is_grid:
            missing = "; ".join(itertools.starmap(self._pair, grid.missing()[:3]))
            found.append(f"{grid.missing_pairs} pairs of the grid were not captured: {missing}")
        return found

    def _pair(self, view: int, light: int) -> str:
        return (
            f"light {format_angles(self.grid.lights[light])} "
            f"view {format_angles(self.grid.views[view])}"
        )


def into_memory(btf: BTF, limit: int = SMALL_BYTES) -> Job[BTF]:
    """Run `BTF.in_memory` as a job that reports the phase "read"."""
    if isinstance(btf.frames, np.ndarray) or btf.nbytes > limit:
        return btf
    frames = np.empty(btf.frames.shape, dtype=btf.frames.dtype)
    for i, frame in enumerate(btf.iter_frames()):
        frames[i] = frame
        if is_report_due(i + 1, len(btf)):
            yield Progress("read", i + 1, len(btf))
    return replace(btf, frames=frames, gatherer=None)
