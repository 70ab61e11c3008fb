"""The table of codecs: whatever stands in it can be planned, trained, saved, read and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import CODECS, FitSettings, NetworkSettings, load
from napari_btf.codec.choice import plan
from napari_btf.codec.table import TABLE
from napari_btf.errors import UsageError
from small_models import SmallModel

Make = Callable[..., BTF]


@pytest.mark.parametrize("name", CODECS)
def test_a_model_comes_back_from_its_file_by_the_table(
    small_model: SmallModel, name: str, tmp_path: Path
) -> None:
    model = small_model(name)
    assert TABLE[name].name == model.architecture == name
    assert type(model) is TABLE[name].model
    read = load(model.save(tmp_path / "model.safetensors"))
    assert type(read) is type(model)
    assert read.to_bytes() == model.to_bytes()
    np.testing.assert_array_equal(read.relight((30, 40)), model.relight((30, 40)))


@pytest.mark.parametrize("name", CODECS)
def test_a_plan_knows_its_time_and_refuses_what_cannot_be(make_btf: Make, name: str) -> None:
    btf = make_btf(views=3, lights=10)
    settings = FitSettings(latents=6, network=NetworkSettings(seconds=7.0), codec=name)
    planned = plan(btf, settings)
    assert planned.codec is TABLE[name]
    planned.check(btf, None)
    seconds = [found for found in planned.seconds(btf).values() if found is not None]
    assert list(planned.seconds(btf))[-1] == "evaluate"
    assert 0.2 <= sum(seconds) < 9.5
    with pytest.raises(UsageError, match="latents"):
        plan(btf, FitSettings(latents=0, codec=name)).check(btf, None)
    wrong = FitSettings(latents=6, network=NetworkSettings(seconds=-3.0), codec=name)
    with pytest.raises(UsageError, match=r"-3\.0 seconds of training"):
        plan(btf, wrong).check(btf, None)


def test_planning_reads_no_image_and_needs_no_device(make_btf: Make) -> None:
    class Unreadable:
        shape, dtype = (30, 12, 16, 3), np.dtype(np.uint8)

        def __getitem__(self, i: object) -> object:
            raise AssertionError("an image was read")

    made = make_btf(views=3, lights=10)
    btf = BTF(Unreadable(), made.light, made.view, source="made/here", format="memory")  # type: ignore[arg-type]
    for name in CODECS:
        settings = FitSettings(latents=6, network=NetworkSettings(device="nowhere"), codec=name)
        with pytest.raises(UsageError, match="device 'nowhere' cannot be used"):
            plan(btf, settings).check(btf, None)
