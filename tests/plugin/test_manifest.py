"""What the plugin promises napari in its manifest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from napari._app_model.constants import MenuId
from npe2 import PluginManager, PluginManifest

from napari_btf.plugin.reader import get_model_reader, get_reader
from napari_btf.plugin.train.form import TrainingForm
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    manager = PluginManager.instance()
    manager.discover()
    return manager.get_manifest("napari-btf")


def test_every_command_is_there(manifest: PluginManifest) -> None:
    commands = manifest.contributions.commands
    assert commands
    for command in commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_every_menu_is_one_that_napari_shows(manifest: PluginManifest) -> None:
    # napari drops items of other menus without a word.
    known = {str(menu) for menu in MenuId.contributables()}
    assert manifest.contributions.menus
    assert set(manifest.contributions.menus) <= known


def test_menus_and_widgets_name_known_commands(manifest: PluginManifest) -> None:
    known = {command.id for command in manifest.contributions.commands}
    used = {item.command for items in manifest.contributions.menus.values() for item in items}
    used |= {widget.command for widget in manifest.contributions.widgets}
    used |= {reader.command for reader in manifest.contributions.readers}
    used |= {writer.command for writer in manifest.contributions.writers}
    used |= {sample.command for sample in manifest.contributions.sample_data}
    assert used == known


def test_every_dock_is_in_the_menu_of_the_layers(manifest: PluginManifest) -> None:
    docks = [widget.command for widget in manifest.contributions.widgets]
    assert "napari-btf.directions" in docks
    listed = [item.command for item in manifest.contributions.menus["napari/layers/visualize"]]
    assert listed == ["napari-btf.open_capture", *docks]


def test_the_reader_takes_folders_and_archives(manifest: PluginManifest) -> None:
    reader, models = manifest.contributions.readers
    assert reader.accepts_directories
    assert {"*.lp", "*.btf", "*.zip", "*.zarr", "*.tif", "*.npy"} <= set(reader.filename_patterns)
    assert PluginManager.instance().commands.get(reader.command) is get_reader
    assert models.filename_patterns == ["*.safetensors"]
    assert PluginManager.instance().commands.get(models.command) is get_model_reader


def test_what_is_remembered_is_what_the_docks_choose(
    manifest: PluginManifest, display: None, qtbot: QtBot, viewer: ViewerModel
) -> None:
    sections = manifest.contributions.configurations
    form = TrainingForm(workspace_of(viewer))
    qtbot.addWidget(form)
    properties = sections["training"].properties
    assert set(form.values()) == set(properties)
    defaults = {name: chosen.default for name, chosen in properties.items()}
    assert form.values() == defaults
    for name, box in (("size_by", form.budget), ("codec", form.codec)):
        assert properties[name].enum == [box.itemText(i) for i in range(box.count())]
