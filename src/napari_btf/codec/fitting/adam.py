"""Adam, with a state that a checkpoint can hold.

The arithmetic is that of torch's function. `torch.optim.Adam` is not used because its class imports
torch's compiler, which takes more than a second at the begin of every training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

__all__ = ["Adam", "put"]

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Adam:
    """Adam (Kingma and Ba, 2015) over groups of parameters.

    Parameters
    ----------
    groups : sequence of dict
        Each with ``"params"`` (tensors) and its full learning rate ``"lr"``, and optionally
        ``"betas"`` and ``"eps"``; the defaults are those of `torch.optim.Adam`.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        self._groups = groups
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        # Of each parameter that ever had a gradient: its moments and the count of its steps.
        self._state: dict[int, dict[str, torch.Tensor]] = {}

    @property
    def rates(self) -> list[float]:
        """The full learning rate of each group."""
        return [group["lr"] for group in self._groups]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self._parameters:
            parameter.grad = None

    def step(self, rates: Sequence[float]) -> None:
        """Make a step along the gradients.

        Parameters
        ----------
        rates : sequence of float
            The learning rate of each group.
        """
        import torch
        from torch.optim.adam import adam

        with torch.no_grad():
            for group, rate in zip(self._groups, rates, strict=True):
                moved = [part for part in group["params"] if part.grad is not None]
                states = [self._state_of(part) for part in moved]
                exp_avg, exp_avg_sq, counts = (
                    [state[name] for state in states] for name in (*_MOMENTS, "step")
                )
                beta1, beta2 = group.get("betas", (0.9, 0.999))
                adam(
                    moved,
                    [part.grad for part in moved],
                    exp_avg,
                    exp_avg_sq,
                    [],
                    counts,
                    amsgrad=False,
                    beta1=beta1,
                    beta2=beta2,
                    lr=rate,
                    weight_decay=0.0,
                    eps=group.get("eps", 1e-8),
                    maximize=False,
                )

    def notes(self) -> dict[str, NDArray[Any]]:
        """Return the moments and step counts as arrays, by names that `restore` knows."""
        return {
            f"adam_{i}_{name}": value.detach().cpu().numpy()
            for i, parameter in enumerate(self._parameters)
            for name, value in self._state.get(id(parameter), {}).items()
        }

    def restore(self, notes: Mapping[str, NDArray[Any]]) -> None:
        """Set the state to one that `notes` returned for another `Adam` of such parameters."""
        import torch

        for i, parameter in enumerate(self._parameters):
            for name in ("step", *_MOMENTS):
                if f"adam_{i}_{name}" in notes:
                    value = torch.from_numpy(notes[f"adam_{i}_{name}"])
                    # Steps are counted on the CPU. An array from a file has at least one dimension.
                    value = value.reshape(()) if name == "step" else value.to(parameter.device)
                    self._state.setdefault(id(parameter), {})[name] = value

    def _state_of(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        import torch

        if id(parameter) not in self._state:
            kept = {name: torch.zeros_like(parameter) for name in _MOMENTS}
            self._state[id(parameter)] = {"step": torch.tensor(0.0), **kept}
        return self._state[id(parameter)]


def put(tensors: Sequence[torch.Tensor], state: Sequence[torch.Tensor]) -> None:
    """Copy values, such as those of a checkpoint, to tensors."""
    for tensor, value in zip(tensors, state, strict=True):
        # An array of a checkpoint has one dimension where a tensor has none.
        tensor.detach().copy_(value.reshape(tensor.shape))
