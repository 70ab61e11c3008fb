"""The training in machine code against the training in torch."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_btf.codec.parallax.batches import load_pool, load_probe
from napari_btf.codec.parallax.fit import fit_parallax
from napari_btf.codec.parallax.machine.compiled import Compilation
from napari_btf.codec.parallax.machine.task import MachineTask
from napari_btf.codec.parallax.settings import ParallaxSettings
from napari_btf.codec.parallax.steps import SurfaceTask
from napari_btf.codec.parallax.surface import Surface
from napari_btf.progress import finish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_btf.btf import BTF

    Make = Callable[..., BTF]

#: Steps that both make.
STEPS = 3


def trained(
    btf: BTF, by_machine_code: bool, periodic: bool, chosen: NDArray[np.intp], latents_alone: bool
) -> tuple[list[float], dict[str, NDArray[Any]]]:
    """Make some steps; return the errors, and moments of Adam, which tell all gradients."""
    pool = finish(load_pool(btf, np.arange(len(btf)), seed=0))
    views, lights = (np.ptp(d, axis=0).max() > 0 for d in (btf.view, btf.light))
    # Numbers that have to be filled up.
    surface = Surface(btf, 5, 3 * int(views), 6 * int(lights), 21, periodic, "cpu", seed=1)
    surface.centre(pool)
    for name in ("depth", "shift"):
        for tensor in surface.networks[name][-2:]:
            # Heights and shifts of about a texel.
            tensor.detach().mul_(10.0).add_(0.1)
    probe = load_probe(btf, np.arange(2), chosen, seed=0)
    parameters = surface.used_latents if latents_alone else surface.parameters
    given: tuple[Any, ...] = (surface, pool, probe, parameters, chosen, 4)
    code = finish(Compilation("cpu", pool.dtype).result())
    assert code is not None
    errors = []
    with MachineTask(code, *given) if by_machine_code else SurfaceTask(*given) as task:
        adam = task.optimizer()
        for _ in range(STEPS):
            adam.zero_grad()
            errors.append(task.gradients())
            adam.step(adam.rates)
        errors.append(task.validate())
    return errors, adam.notes()


@pytest.mark.parametrize(
    ("how", "periodic", "latents_alone"),
    [
        ({}, False, False),
        ({"channels": 7, "dtype": np.uint16}, True, False),
        ({"views": 1, "channels": 1}, True, False),
        ({"lights": 1}, False, False),
        ({}, True, True),
    ],
    ids=["both directions", "spectral", "one view", "one light", "latents alone"],
)
def test_gradients_are_those_of_torch(
    make_btf: Make, how: dict[str, Any], periodic: bool, latents_alone: bool
) -> None:
    btf = make_btf(**how)
    # Some texels of a surface whose sides differ.
    chosen = np.arange(0, 12 * 16, 3)
    errors, found = trained(btf, True, periodic, chosen, latents_alone)
    wanted_errors, wanted = trained(btf, False, periodic, chosen, latents_alone)
    np.testing.assert_allclose(errors, wanted_errors, rtol=1e-4)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        if name.endswith("exp_avg"):
            assert np.linalg.norm(found[name] - values) < 2e-3 * np.linalg.norm(values), name
        elif name.endswith("step"):
            assert found[name] == values == STEPS


def test_values_of_floats(make_btf: Make) -> None:
    btf = make_btf()
    btf = replace(btf, frames=(btf.frames / 100.0).astype(np.float32))
    chosen = np.arange(12 * 16)
    errors, _ = trained(btf, True, False, chosen, False)
    wanted, _ = trained(btf, False, False, chosen, False)
    np.testing.assert_allclose(errors, wanted, rtol=1e-4)


def test_any_number_of_cores_gives_the_same_bytes(
    make_btf: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    btf, files = make_btf(views=4, lights=10), []
    for count in (1, 2, 5):
        monkeypatch.setattr("napari_btf.codec.parallax.steps.cores", lambda count=count: count)
        model = finish(fit_parallax(btf, settings=ParallaxSettings(steps=30)))
        files.append(model.save(tmp_path / f"{count}.safetensors").read_bytes())
    assert files[0] == files[1] == files[2]


def test_torch_trains_where_numba_fails(tmp_path: Path) -> None:
    code = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from napari_btf.codec.parallax.fit import fit_parallax
from napari_btf.codec.parallax.settings import ParallaxSettings
from napari_btf.progress import finish
from napari_btf.samples import open_sample

btf = open_sample()
model = finish(fit_parallax(btf.select(range(0, len(btf), 40)), settings=ParallaxSettings(steps=3)))
print(model.latent_count)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )
    warning, latents = done.stdout.splitlines()
    assert warning.startswith("torch trains, more slowly: numba makes no machine code (")
    assert latents == "26"


def test_code_is_made_where_nothing_can_be_kept(tmp_path: Path) -> None:
    code = """
from numba.core import caching
caching.CacheImpl._locator_classes = [caching.UserProvidedCacheLocator]
from napari_btf.codec.parallax.machine import batch
print(batch.move)
"""
    # No folder, nor a place where one could be made.
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache")},
    )
    assert "kept_move" in done.stdout, done.stderr
