"""The contract of all codecs: a compressed BTF, which is a latent map and its decoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from napari_btf.codec.decoding.compiled import kernels
from napari_btf.codec.decoding.layers import in_chunks
from napari_btf.codec.decoding.part import Part
from napari_btf.codec.latents.stored import check_latent_type
from napari_btf.codec.writing import FORMAT, VERSION, file_bytes, write_model
from napari_btf.directions import Angles, unit_vector
from napari_btf.errors import UsageError
from napari_btf.values import ValueScale

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.codec.decoding.layers import Layers, Scratch, Shade
    from napari_btf.codec.decoding.on_device import OnDevice

__all__ = ["CompressedBTF", "shade_into"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CompressedBTF(ABC):
    """A latent map and its decoder, which give the surface under any light and view.

    Parameters
    ----------
    light, view : ndarray, shape (N, 3)
        Unit vectors of the pairs it was trained on.
    dtype : numpy.dtype
        Type of the captured values.
    source : str
        Name of the capture, for people.
    mm_per_texel : float, optional
        Distance of neighbouring texels on the surface in millimetres, if it is known.
    path : Path, optional
        Where it was loaded from or saved to.
    report : dict, optional
        What its training gave (`napari_btf.training.TrainingReport.summary`); a file does not
        keep it.
    latents_as : {"float32", "float16", "uint8"}
        What latents are in memory; see `with_latents_as`.
    device : str, optional
        Torch device that decodes; if not given, the processor does without torch; see
        `decoded_on`.
    """

    light: NDArray[np.float64]
    view: NDArray[np.float64]
    dtype: np.dtype[Any]
    source: str = ""
    mm_per_texel: float | None = None
    path: Path | None = None
    report: dict[str, Any] | None = None
    latents_as: str = "float32"
    device: str | None = None

    #: Name of the codec, in files and settings.
    architecture: ClassVar[str]
    #: Whether its latents can be float16 or uint8 in memory.
    has_small_latents: ClassVar[bool] = False

    def __repr__(self) -> str:
        return (
            f"<CompressedBTF {self.source!r}: {self.width} x {self.height} texels, "
            f"{self.latent_count} latents, {self.channels} channels, {self.architecture}>"
        )

    @property
    @abstractmethod
    def height(self) -> int:
        """Rows of the texel grid."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Columns of the texel grid."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Values per texel of a decoded image."""

    @property
    @abstractmethod
    def latent_count(self) -> int:
        """Latents per texel, K."""

    @property
    @abstractmethod
    def latent_map(self) -> NDArray[np.float32]:
        """The latents as float32, shape (H, W, K)."""

    @abstractmethod
    def with_latents(self, latent_map: ArrayLike) -> CompressedBTF:
        """Return a model with the same decoder and other latents, cheap enough for a slider.

        Parameters
        ----------
        latent_map : array_like, shape (H, W, K)
            Of any size and values. A file will hold them as finely as those of this model.

        Returns
        -------
        CompressedBTF
            Of the same class. This one stays as it is.

        Raises
        ------
        ValueError
            If they are not finite, not K, or give colours of any size.
        """

    def of_texels(self, latents: ArrayLike) -> CompressedBTF:
        """Return a surface of one row of texels with latents (T, K), each decoded on its own."""
        return self.with_latents(np.asarray(latents)[np.newaxis])

    def checked_latents(self, latent_map: ArrayLike) -> NDArray[np.float32]:
        """Return latents (H, W, K) as float32 after checking that this decoder can take them.

        Raises
        ------
        ValueError
            If they are none.
        """
        latents = np.ascontiguousarray(latent_map, dtype=np.float32)
        if latents.ndim != 3 or latents.shape[2] != self.latent_count or not latents.size:
            raise ValueError(
                f"latents of shape {latents.shape} are not (H, W, {self.latent_count})"
            )
        if not np.isfinite(latents).all():
            raise ValueError("the latents are not finite")
        return latents

    @abstractmethod
    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a file holds of this codec alone: plain values, and tensors by name.

        The rest, such as sizes and directions, is the same for all codecs (see `to_bytes`).
        """

    @abstractmethod
    def decoder_parts(self) -> dict[str, Any]:
        """Return the decoder as plain values, arrays, and lists and dicts of these.

        docs/exports.md explains the keys. Arrays have the precision that decoding needs.
        """

    @property
    def texel_network(self) -> Layers | None:
        """The layers of the network that decodes every texel, or None for a codec without one."""
        return None

    @property
    @abstractmethod
    def latent_bytes(self) -> int:
        """Bytes of the latents in a file; the rest of the file is the decoder."""

    def shaded(self, light: ArrayLike, view: ArrayLike) -> Iterator[NDArray[np.float32]]:
        """Decode the images under P pairs of unit vectors, of shape (P, 3) each, one at a time.

        Yields
        ------
        ndarray, shape (H, W, C)
            In the fitted domain (see `napari_btf.values.ValueScale`), not clipped.
        """
        return self.shaded_part(light, view, Part.of(self.height, self.width))

    def shaded_part(
        self, light: ArrayLike, view: ArrayLike, part: Part
    ) -> Iterator[NDArray[np.float32]]:
        """Decode the images of `shaded`, but only the texels of a part: (H', W', C) each."""
        if self._on_device is not None:
            return self._on_device.shaded_part(light, view, part)
        return self._shaded_part(light, view, part)

    def _shaded_part(
        self, light: ArrayLike, view: ArrayLike, part: Part
    ) -> Iterator[NDArray[np.float32]]:
        """Do what `shaded_part` does, without torch."""
        for pair in zip(np.asarray(light), np.asarray(view), strict=True):
            with self._shading(*pair, part) as shade:
                flat = np.empty((part.texels, self.channels), dtype=np.float32)
                in_chunks(part.texels, partial(shade_into, shade, flat))
            yield flat.reshape(*part.shape, self.channels)

    @abstractmethod
    def _shading(
        self, light: NDArray[np.float64], view: NDArray[np.float64], part: Part
    ) -> AbstractContextManager[Shade]:
        """Return a function that shades chunks of the texels of a part.

        The light and the view are unit vectors of shape (3,).
        """

    @abstractmethod
    def shown(
        self, light: ArrayLike, view: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pair (3,), (3,) that is decoded when the given pair is asked for.

        It differs from the given pair beyond the captured directions, and off the axes along which
        the captured directions vary.
        """

    def with_latents_as(self, kind: str) -> Self:
        """Return the same model whose latents take less memory, or more, while it is decoded.

        Parameters
        ----------
        kind : {"float32", "float16", "uint8"}
            Of float16 and uint8, each latent has a range of its own. They are made float32 again
            a piece at a time. The file of the model stays what it is.

        Raises
        ------
        UsageError
            For another type, or a codec that has float32 alone.
        """
        check_latent_type(kind)
        if kind != "float32" and not self.has_small_latents:
            raise UsageError(
                self.path,
                f"latents of the codec {self.architecture} are float32 in memory",
                "leave the type of latents out",
            )
        return replace(self, latents_as=kind)

    def decoded_on(self, device: str | None) -> Self:
        """Return the same model, whose images torch decodes on a device.

        The images differ by rounding only, less than 1/255 of white. This pays on a graphics
        processor. The latents are copied to the device with the first image.

        Parameters
        ----------
        device : str, optional
            ``"cuda"``, ``"auto"`` for a CUDA device if there is one, else the CPU, or another
            device of torch. Without it torch is not used.

        Raises
        ------
        UsageError
            If torch cannot use the device.
        """
        if device is not None:
            from napari_btf.codec.fitting.settings import pick_device

            device = pick_device(device)
        # Not `replace`, because both models share what was computed of latents and directions.
        other = copy(self)
        other.__dict__["device"] = device
        other.__dict__.pop("_on_device", None)
        return other

    @cached_property
    def _on_device(self) -> OnDevice[Any] | None:
        if self.device is None:
            return None
        return self._decoder_on(self.device)

    @abstractmethod
    def _decoder_on(self, device: str) -> OnDevice[Any]:
        """Return the object that decodes this model on a torch device."""

    @property
    def values(self) -> ValueScale:
        """The conversion between fitted values and captured ones."""
        return ValueScale(self.dtype)

    @cached_property
    def fixed_view(self) -> bool:
        """Whether the model was trained on a single view direction."""
        return bool(np.ptp(self.view, axis=0).max() < 1e-3)

    @cached_property
    def file_size(self) -> int:
        """Size of the model file in bytes."""
        return len(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the content of a model file."""
        description, tensors = self.pack()
        common: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "architecture": self.architecture,
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "latents": self.latent_count,
            "dtype": self.dtype.name,
            "color_space": "linear" if self.values.is_float else "as captured",
            "directions": "unit vectors, x right, y up, z out of the surface; stereographic disks",
            "source": self.source,
        }
        if self.mm_per_texel is not None:
            common["mm_per_texel"] = self.mm_per_texel
        return file_bytes(description | common, tensors, self.light, self.view)

    def decode(
        self, light: ArrayLike, view: ArrayLike, part: Part | None = None
    ) -> NDArray[np.float32]:
        """Decode the surface under one light from one view, in linear or captured values.

        Parameters
        ----------
        light, view : array_like, shape (3,)
            Unit vectors. Directions farther from the normal than any captured one are moved
            to the captured range.
        part : Part, optional
            The texels to decode; all of them if not given.

        Returns
        -------
        ndarray, shape (H, W, C)
            0..1 for integer captures, linear radiance from 0 for floating point ones. Of a part,
            its rows and columns.
        """
        pair = np.reshape(light, (1, 3)), np.reshape(view, (1, 3))
        images = self.shaded(*pair) if part is None else self.shaded_part(*pair, part)
        return self.values.decode(next(iter(images)))

    def image(self, light: ArrayLike, view: ArrayLike, part: Part | None = None) -> NDArray[Any]:
        """Decode the image of `decode` in the type of the captured values.

        The surface is decoded in one pass: each chunk of texels stays in the cache of a core until
        it is stored.
        """
        part = Part.of(self.height, self.width) if part is None else part
        if self._on_device is not None:
            return self._on_device.image(np.asarray(light), np.asarray(view), part)
        out = np.empty((part.texels, self.channels), dtype=self.dtype)
        with self._shading(np.asarray(light), np.asarray(view), part) as shade:
            in_chunks(part.texels, partial(_shade_and_store, shade, self.values, out))
        return out.reshape(*part.shape, self.channels)

    def relight(self, light: Angles, view: Angles | None = None) -> NDArray[Any]:
        """Decode the surface under one light from one view, given as angles.

        Parameters
        ----------
        light, view : (theta, phi)
            Degrees. Directions beyond the captured ones give the image at the edge of the captured
            range. Without ``view``: the captured view nearest to the normal.

        Returns
        -------
        ndarray, shape (H, W, C)
            In the type of the captured images.

        Raises
        ------
        UsageError
            If a theta lies outside -90 to 90.

        See Also
        --------
        napari_btf.relighting : several lights, environments, moving lights, parts of the surface.
        """
        nearest = self.view[np.argmax(self.view[:, 2])]
        towards = nearest if view is None else unit_vector("view", view)
        return self.image(unit_vector("light", light), towards)

    def save(self, path: str | Path) -> Path:
        """Write the model as a ``.safetensors`` file that `napari_btf.load` reads.

        Raises
        ------
        ModelFileError
            If the place cannot be written to, or the model could not be read again, because its
            training has failed; an older file there stays as it was.
        """
        return write_model(path, self.to_bytes())


def shade_into(shade: Shade, out: NDArray[np.float32], chunk: slice, scratch: Scratch) -> None:
    """Shade a chunk of texels into an array of all texels (T, C); for `in_chunks`.

    The values are in the fitted domain (see `napari_btf.values.ValueScale`).
    """
    shade(chunk, scratch, out[chunk])


def _shade_and_store(
    shade: Shade, values: ValueScale, out: NDArray[Any], chunk: slice, scratch: Scratch
) -> None:
    fitted = scratch("fitted", *out[chunk].shape)
    shade(chunk, scratch, fitted)
    code = kernels()
    if code is None or out.dtype not in (np.uint8, np.uint16):
        values.store_fitted(fitted, out[chunk])
    else:
        code.store(fitted, values.largest, out[chunk])
