"""A texel store, and a place for files, that tests of formats share."""

from __future__ import annotations

from pathlib import Path

import pytest
from stores import SMALL, made_up

from napari_btf.formats.conversion import convert
from napari_btf.progress import finish


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of `made_up`, in small pieces."""
    return finish(convert(made_up()[0], tmp_path / "store.zarr", layout=SMALL))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is written again and again."""
    return tmp_path_factory.mktemp("ubo2014") / "capture.btf"
