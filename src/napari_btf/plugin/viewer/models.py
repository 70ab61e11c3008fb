"""The models of a session: the one that is shown, where each was saved, what is tried out."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_btf.plugin.viewer.selection import TexelSelection

if TYPE_CHECKING:
    from pathlib import Path

    from napari_btf.codec.model import CompressedBTF
    from napari_btf.embedding.latent_map import LatentMap

__all__ = ["Models"]


class Models:
    """All models of the session, which the docks of one viewer share.

    Signals
    -------
    changed
        There is another current model, or a model was saved.
    variant_changed
        The model is to be shown with other latents than its own, or with its own again.
    """

    changed = Signal()
    variant_changed = Signal()

    def __init__(self) -> None:
        self._current: CompressedBTF | None = None
        self._all: list[CompressedBTF] = []
        self._paths: weakref.WeakKeyDictionary[CompressedBTF, Path] = weakref.WeakKeyDictionary()
        self._selections: weakref.WeakKeyDictionary[CompressedBTF, TexelSelection] = (
            weakref.WeakKeyDictionary()
        )
        #: The map of each model in the latent space, if there is one.
        self.maps: weakref.WeakKeyDictionary[CompressedBTF, LatentMap] = weakref.WeakKeyDictionary()
        self._variant: tuple[CompressedBTF, CompressedBTF] | None = None
        self._originals: weakref.WeakKeyDictionary[CompressedBTF, CompressedBTF] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def current(self) -> CompressedBTF | None:
        """The model that *Relight* shows: the last one trained or loaded."""
        return self._current

    @current.setter
    def current(self, model: CompressedBTF | None) -> None:
        self._current = model
        if model is not None and model not in self._all:
            self._all.append(model)
        self.changed.emit()

    @property
    def all(self) -> tuple[CompressedBTF, ...]:
        """All models of the session, in the order in which they came."""
        return tuple(self._all)

    def variant_of(self, model: CompressedBTF) -> CompressedBTF:
        """Return the model that is shown in place of a model: itself, or its variant."""
        variant = self._variant
        return model if variant is None or variant[0] is not model else variant[1]

    def original_of(self, model: CompressedBTF) -> CompressedBTF:
        """Return the model that a variant was made from; any other model is its own original."""
        return self._originals.get(model, model)

    def set_variant(self, model: CompressedBTF, variant: CompressedBTF | None) -> None:
        """Show a variant of a model with other latents; None shows the model again."""
        if variant is None and self._variant is None:
            return
        self._variant = None if variant is None else (model, variant)
        if variant is not None:
            self._originals[variant] = model
        self.variant_changed.emit()

    def path_of(self, model: CompressedBTF) -> Path | None:
        """Return the file that a model was read from or saved to last, or None."""
        return self._paths.get(model, model.path)

    def saved(self, model: CompressedBTF, path: Path) -> None:
        """Remember where a model was saved."""
        self._paths[model] = path
        self.changed.emit()

    def selection(self, model: CompressedBTF) -> TexelSelection:
        """Return the selected texels of a model, which all docks share."""
        if model not in self._selections:
            self._selections[model] = TexelSelection(model.height, model.width)
        return self._selections[model]
