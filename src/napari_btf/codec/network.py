"""Training of the smooth network over directions."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_btf.codec.basis import SmoothNetwork
from napari_btf.errors import UsageError
from napari_btf.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import torch
    from numpy.typing import NDArray

__all__ = ["NetworkSettings", "one_core", "pick_device", "train_network"]

HIDDEN = 64
LEARNING_RATE = 5e-3
#: Strong on purpose: without it the network follows single photographs and generates worse.
WEIGHT_DECAY = 0.3
BATCH = 1024
EPOCHS = 1000
VALIDATION_SHARE = 8
REPORT_SECONDS = 0.1


@dataclass(frozen=True)
class NetworkSettings:
    """How long and where to train.

    Parameters
    ----------
    epochs : int, optional
        Passes over the captured directions; used if ``seconds`` is None.
    seconds : float, optional
        Train for this long instead.
    device : str
        ``"auto"``, or a torch device such as ``"cpu"`` or ``"cuda"``.
    seed : int
    """

    epochs: int | None = None
    seconds: float | None = None
    device: str = "auto"
    seed: int = 0


def pick_device(name: str) -> str:
    """A torch device for a name; ``"auto"`` is a CUDA GPU if there is one, else the CPU.

    Raises
    ------
    UsageError
        If torch here does not know the device or cannot use it.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # Back again, too: the device "meta" keeps no values.
        torch.zeros(1, device=name).item()
    # Torch raises whatever it meets first, down to modules it does not have.
    except Exception as error:
        raise UsageError(None, f"device {name!r} cannot be used here", "use auto or cpu") from error
    return name


def train_network(
    coordinates: NDArray[np.float64],
    targets: NDArray[np.float64],
    weight: NDArray[np.float64],
    settings: NetworkSettings,
    stop: Callable[[], bool],
) -> Generator[Progress, None, tuple[SmoothNetwork, NDArray[np.intp]]]:
    """Fit a `SmoothNetwork` to a table over directions.

    One direction of eight is kept for validation; the state with the least validation error
    is what comes out. AdamW with a cosine schedule.

    Parameters
    ----------
    coordinates : ndarray, shape (N, D)
    targets : ndarray, shape (N, M)
    weight : ndarray, shape (M,)
        Importance of each column: the errors are measured on ``targets * weight``.
    settings : NetworkSettings
    stop : callable
        Asked often; true ends the training with the best state so far.

    Yields
    ------
    Progress
        In thousandths of the training, with training and validation error.

    Returns
    -------
    SmoothNetwork
    ndarray of int
        The directions kept for validation.
    """
    n = len(coordinates)
    if n < 2 * VALIDATION_SHARE:
        # Too few directions to tell a trend from noise: the spline does it alone.
        return SmoothNetwork((), ()), np.zeros(0, dtype=np.intp)
    import torch

    device = pick_device(settings.device)
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(n)
    held, used = order[: n // VALIDATION_SHARE], order[n // VALIDATION_SHARE :]
    x = _tensor(SmoothNetwork.features(coordinates), device)
    y = _tensor(targets * weight, device)
    net = _build(x.shape[1], y.shape[1], settings.seed).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def error(rows: NDArray[np.intp]) -> torch.Tensor:
        residual: torch.Tensor = net(x[rows]) - y[rows]
        return (residual**2).sum(1).mean()

    best_error, best_state = np.inf, {k: v.clone() for k, v in net.state_dict().items()}
    start, reported = time.monotonic(), -np.inf
    epochs = settings.epochs or EPOCHS
    epoch, train_error = 0, None
    while True:
        elapsed = time.monotonic() - start
        done = elapsed / settings.seconds if settings.seconds else epoch / epochs
        with torch.no_grad(), one_core():
            validation_error = float(error(held))
        if validation_error < best_error:
            best_error = validation_error
            best_state = {k: v.clone() for k, v in net.state_dict().items()}
        if done >= 1.0 or stop():
            break
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            yield Progress("train", int(1000 * done), 1000, train_error, validation_error)
            # A pause between reports is not training.
            start += time.monotonic() - reported
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * done))
        shuffled = rng.permutation(used)
        with one_core():
            for i in range(0, len(shuffled), BATCH):
                loss = error(shuffled[i : i + BATCH])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        train_error = loss.item()
        epoch += 1
    yield Progress("train", 1000, 1000, train_error, best_error)
    return _to_numpy(best_state, weight), held


@contextmanager
def one_core() -> Iterator[None]:
    """Let torch use one core: for networks so small that sharing them out costs more.

    On a busy machine the cores wait for one another, and that takes many times longer.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tensor(values: NDArray[np.float64], device: str) -> torch.Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float32, device=device)


def _build(features: int, outputs: int, seed: int) -> torch.nn.Sequential:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(features, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, outputs),
        )


def _to_numpy(state: dict[str, torch.Tensor], weight: NDArray[np.float64]) -> SmoothNetwork:
    arrays = {name: value.cpu().numpy() for name, value in state.items()}
    weights = [arrays[name] for name in sorted(arrays) if name.endswith("weight")]
    biases = [arrays[name] for name in sorted(arrays) if name.endswith("bias")]
    # The last layer gives columns times their importance; take that out again.
    weights[-1] = (weights[-1] / weight[:, np.newaxis]).astype(np.float32)
    biases[-1] = (biases[-1] / weight).astype(np.float32)
    return SmoothNetwork(tuple(weights), tuple(biases))
