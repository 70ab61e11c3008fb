"""Choices that are remembered between sessions, in napari's own settings."""

from __future__ import annotations

from typing import Any

from napari.settings import get_plugin_settings

__all__ = ["recall", "remember"]


def recall(section: str) -> dict[str, Any]:
    """Return the remembered values of a section of ``configurations`` in napari.yaml.

    These are the defaults at first, and nothing if napari does not know the plugin.
    """
    try:
        found = getattr(get_plugin_settings("napari-btf"), section)
    except (KeyError, AttributeError):
        return {}
    return dict(found.model_dump())


def remember(section: str, values: dict[str, Any]) -> None:
    """Keep values until the next session, if napari can write its settings."""
    try:
        found = getattr(get_plugin_settings("napari-btf"), section)
        for name, value in values.items():
            # napari writes its file at every assignment.
            if getattr(found, name) != value:
                setattr(found, name, value)
    except (KeyError, AttributeError, OSError, ValueError):
        return
