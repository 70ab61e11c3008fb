"""What importing costs: no torch before it trains, no napari or Qt in the core."""

from __future__ import annotations

import subprocess
import sys

import pytest

CORE = """
import sys, pkgutil, importlib
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError("refused: " + name)
sys.meta_path.insert(0, Refuse())
import napari_btf
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_core_works_without_napari_qt_and_magicgui() -> None:
    refused = {
        "napari",
        "qtpy",
        "superqt",
        "magicgui",
        "PyQt6",
        "PyQt5",
        "PySide6",
        "vispy",
        "app_model",
    }
    out = run(
        CORE.format(refused=refused)
        + """
for module in pkgutil.walk_packages(napari_btf.__path__, "napari_btf."):
    if not module.name.startswith(("napari_btf.plugin", "napari_btf.__main__")):
        importlib.import_module(module.name)
from napari_btf.samples import open_sample
btf = open_sample().select(range(30))
model = napari_btf.train(btf, latents=4)
print(model.relight((10, 20)).shape, napari_btf.embed(model, "pca").shape)
"""
    )
    assert out.strip() == "(64, 64, 3) (4096, 2)"


def test_opening_and_relighting_need_no_torch() -> None:
    refused = {"torch"}
    run(
        CORE.format(refused=refused)
        + """
import napari_btf.cli, napari_btf.codec, napari_btf.training, napari_btf.demo
from napari_btf.samples import sample_path
btf = napari_btf.read(sample_path())
btf.frame(3)
for name in napari_btf.__all__:
    getattr(napari_btf, name)
import napari_btf.plugin.reader
assert napari_btf.plugin.reader.get_reader(str(sample_path()))
"""
    )


def test_public_names() -> None:
    import napari_btf

    assert set(napari_btf.__all__) <= set(dir(napari_btf))
    assert napari_btf.__version__
    # A submodule of the same name would take a function's place after the first use.
    for _ in range(2):
        for name in ("convert", "embed", "load", "read", "relight", "run", "train"):
            assert callable(getattr(napari_btf, name))
    # Whatever is imported, and in whatever order.
    import napari_btf.codec.choice as choice
    from napari_btf import codec
    from napari_btf.plugin import train as _

    assert choice.fit is codec.fit
    assert callable(napari_btf.train)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = napari_btf.nothing
