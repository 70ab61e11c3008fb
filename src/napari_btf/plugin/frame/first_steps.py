"""The way from an empty window to a surface under moving light, in five steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_btf.plugin.viewer.following import follow_while_shown
from napari_btf.plugin.widgets.wrapped_text import Note

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_btf.plugin.viewer.workspace import Workspace

__all__ = ["FirstSteps"]

_STEPS = """In five steps:
1. File > Open Sample > BTF, or Plugins > BTF > Open BTF capture...
2. Directions: see from where the surface was lit.
3. Train: press Train, and wait some seconds.
4. Relight: drag the light over its disk.
5. Latent space: draw around points, and see where they are."""


class FirstSteps(Note):
    """The steps, which are shown while there is neither a capture nor a model."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setText(_STEPS)
        self.refresh()

    def follow(self, dock: QWidget) -> None:
        """Appear and disappear while a dock is shown; hidden itself, it would hear nothing."""
        changes = (self._workspace.captures.changed, self._workspace.models.changed)
        follow_while_shown(dock, dict.fromkeys(changes, self.refresh))

    def refresh(self) -> None:
        """Show or hide the steps."""
        workspace = self._workspace
        self.setVisible(not workspace.captures.layers() and not workspace.models.all)
