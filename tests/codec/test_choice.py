"""Which codec is taken, and what each accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_btf.btf import BTF
from napari_btf.codec import FitSettings, NetworkSettings, fit
from napari_btf.codec.choice import plan
from napari_btf.codec.fitting.checks import texels_that_fit
from napari_btf.errors import UsageError
from napari_btf.evaluate import psnr_over
from napari_btf.formats import read
from napari_btf.progress import finish

Make = Callable[..., BTF]


def test_auto_takes_parallax_where_many_views_were_captured(make_btf: Make) -> None:
    few, many = make_btf(views=3, lights=100), make_btf(views=20, lights=13, height=6, width=6)
    assert plan(few, FitSettings()).codec.name == "neural-basis"
    assert plan(many, FitSettings()).codec.name == "parallax"
    assert plan(many, FitSettings(target_psnr=30)).codec.name == "parallax"
    assert plan(many, FitSettings(codec="neural-basis")).codec.name == "neural-basis"
    with pytest.raises(UsageError, match="there is no codec 'oracle'; use auto or neural-basis or"):
        plan(few, FitSettings(codec="oracle"))


def test_parallax_keeps_to_its_bytes(make_btf: Make) -> None:
    btf = make_btf(views=4, lights=10, height=40, width=40)
    network = NetworkSettings(epochs=2)
    for size in (24, 48):
        settings = FitSettings(network=network, bytes_per_texel=size, codec="parallax")
        model = finish(fit(btf, settings=settings))
        assert model.architecture == "parallax"
        limit = size * 1600 + 65536
        assert 0.7 * limit < model.file_size <= limit
    flat = np.mean((btf.frames / 255.0 - (btf.frames / 255.0).mean()) ** 2)
    assert finish(psnr_over(model, btf)) > -10 * np.log10(flat) + 1


def test_a_linear_model_where_parallax_has_not_learned_enough(make_btf: Make) -> None:
    btf = make_btf(views=16, lights=16, height=16, width=16)
    network = NetworkSettings(seconds=0.5)
    for settings in (
        FitSettings(network=network, bytes_per_texel=48),
        FitSettings(8, network),
        FitSettings(network=network, target_psnr=40),
    ):
        models = [
            finish(fit(btf, settings=replace(settings, codec=codec)))
            for codec in ("auto", "parallax")
        ]
        assert [model.architecture for model in models] == ["neural-basis", "parallax"]
        scores = [finish(psnr_over(model, btf)) for model in models]
        assert scores[0] > scores[1] + 3
        assert models[0].file_size <= 48 * 256 + 65536


def test_parallax_where_it_has_learned_enough(data_dir: Path) -> None:
    weave = read(data_dir / "weave" / "grid64")
    # One of ten images, from all views: a pass over them is short, and a training in seconds would
    # learn less on a busy machine.
    some = weave.select(range(0, len(weave), 10)).in_memory()
    settings = FitSettings(network=NetworkSettings(epochs=1), bytes_per_texel=16)
    phases: set[str] = set()
    model = finish(fit(some, settings=settings), lambda report: phases.add(report.phase))
    assert model.architecture == "parallax"
    # A linear one was not even tried.
    assert phases == {"read", "train"}


def test_parallax_by_latents_and_epochs(make_btf: Make) -> None:
    btf = make_btf(views=16, lights=16, height=8, width=8)
    settings = FitSettings(9, NetworkSettings(epochs=1), codec="parallax")
    model = finish(fit(btf, settings=settings))
    assert (model.architecture, model.latent_count) == ("parallax", 9)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"latents": 2}, "the parallax codec needs 3 or more"),
        ({"bytes_per_texel": 0.5}, "are too few for the parallax codec; allow at least"),
        ({"latents": 9, "bytes_per_texel": 9.0}, "bytes_per_texel and latents exclude"),
    ],
)
def test_what_parallax_cannot_do(make_btf: Make, settings: dict[str, float], problem: str) -> None:
    btf = make_btf(views=16, lights=16, height=96, width=96)
    with pytest.raises(UsageError, match=problem):
        finish(fit(btf, settings=FitSettings(codec="parallax", **settings)))  # type: ignore[arg-type]


def test_memory_is_kept_to(make_btf: Make) -> None:
    """Less memory, fewer texels and latents; too little is refused."""
    btf = make_btf(views=1, lights=12)
    assert texels_that_fit(btf, 2**28) * 4 == pytest.approx(texels_that_fit(btf, 2**30), abs=4)
    for memory in (0, 2**27):
        network = NetworkSettings(memory=memory)
        with pytest.raises(UsageError, match="of memory are not enough"):
            finish(fit(btf, settings=FitSettings(network=network)))
