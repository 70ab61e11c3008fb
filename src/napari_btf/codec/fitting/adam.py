"""What Adam remembers, as arrays: for notes of unfinished trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["adam_notes", "restore_adam"]

_NAMES = ("step", "exp_avg", "exp_avg_sq")


def adam_notes(
    optimizer: torch.optim.Optimizer, parameters: Sequence[torch.Tensor]
) -> dict[str, NDArray[np.float32]]:
    """Its state for each parameter, by names that `restore_adam` finds."""
    return {
        f"{name}_{i}": value.detach().cpu().numpy().copy()
        for i, parameter in enumerate(parameters)
        for name, value in optimizer.state[parameter].items()
    }


def restore_adam(
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[torch.Tensor],
    notes: dict[str, NDArray[Any]],
) -> None:
    """Bring a new optimizer to the state in the notes of another one."""
    import torch

    for i, parameter in enumerate(parameters):
        state = {
            name: torch.from_numpy(notes[f"{name}_{i}"])
            for name in _NAMES
            if f"{name}_{i}" in notes
        }
        if state:
            optimizer.state[parameter] = {
                name: value if name == "step" else value.to(parameter.device)
                for name, value in state.items()
            }
