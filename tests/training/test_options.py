from __future__ import annotations

import inspect
from dataclasses import fields

import napari_btf
from command_line import Run
from napari_btf.training.options import TrainingOptions


def test_python_takes_every_option_with_its_default() -> None:
    taken = inspect.signature(napari_btf.train).parameters
    for option in fields(TrainingOptions):
        assert taken[option.name].default == option.default, option.name
        assert f"{option.name} : " in napari_btf.train.__doc__ or f"{option.name}, " in (
            napari_btf.train.__doc__
        )
    assert set(taken) - {option.name for option in fields(TrainingOptions)} == {"btf", "progress"}


def test_the_command_line_offers_every_option(run: Run) -> None:
    done = run("train", "--help")
    for option in fields(TrainingOptions):
        assert f"--{option.name.replace('_', '-')} " in done.out
        # As wide as the terminal, words are on several lines.
        assert option.metadata["help"].split()[0] in done.out
