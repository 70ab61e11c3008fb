from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_btf.plugin.viewer.selection import TexelSelection
from napari_btf.plugin.viewer.workspace import workspace_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_btf import CompressedBTF

masks = arrays(bool, (3, 4))


@given(st.lists(st.tuples(st.sampled_from(("replace", "add", "subtract")), masks)))
def test_it_is_the_set_that_was_asked_for(steps: list[tuple[str, np.ndarray]]) -> None:
    selection, expected = TexelSelection(3, 4), set()
    heard: list[int] = []
    selection.changed.connect(lambda: heard.append(selection.count))
    for how, mask in steps:
        texels, before, told = {*np.flatnonzero(mask)}, expected, len(heard)
        expected = {
            "replace": texels,
            "add": expected | texels,
            "subtract": expected - texels,
        }[how]
        selection.take(mask, how)  # type: ignore[arg-type]
        assert {*np.flatnonzero(selection.mask)} == expected
        # It is told when, and only when, other texels are selected.
        assert heard[told:] == ([] if expected == before else [len(expected)])
    selection.invert()
    assert {*np.flatnonzero(selection.mask)} == {*range(12)} - expected
    selection.clear()
    assert not selection.mask.any()


def test_what_was_handed_out_or_in_stays_as_it_is() -> None:
    selection = TexelSelection(2, 2)
    mine = np.array([[True, False], [False, False]])
    selection.take(mine)
    mine[:] = True
    before = selection.mask
    selection.add(np.ones((2, 2), dtype=bool))
    assert before.tolist() == [[True, False], [False, False]]


def test_a_viewer_has_one_selection_a_model(
    viewer: ViewerModel, model: CompressedBTF, one_view_model: CompressedBTF
) -> None:
    workspace = workspace_of(viewer)
    selection = workspace.models.selection(model)
    assert selection.mask.shape == (model.height, model.width)
    assert workspace.models.selection(model) is selection
    assert workspace.models.selection(one_view_model) is not selection
