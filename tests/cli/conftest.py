"""Captures and a model that tests of the command line share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_line import btf, ok


@pytest.fixture(scope="session")
def weave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "weave"
    out = ok(btf("sample", folder))
    assert "567 images" in out
    return folder


@pytest.fixture(scope="session")
def frontal(weave: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One view of it, with so few lights that a network is trained for the gaps."""
    folder = tmp_path_factory.mktemp("frontal")
    for path in weave.rglob("*tv000 pv000*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def model(weave: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "weave.safetensors"
    ok(btf("train", weave, "--out", path, "--latents", 16, "--epochs", 100))
    return path
