from __future__ import annotations

import numpy as np

from napari_btf.codec import NetworkSettings
from napari_btf.codec.basis import SmoothNetwork
from napari_btf.codec.network import train_network
from napari_btf.progress import Progress, finish


def trained(
    points: np.ndarray, targets: np.ndarray, epochs: int
) -> tuple[SmoothNetwork, list[Progress]]:
    reports: list[Progress] = []
    weight = np.ones(targets.shape[1])
    settings = NetworkSettings(epochs=epochs, device="cpu")
    job = train_network(points, targets, weight, settings, lambda: False)
    network, held = finish(job, reports.append)
    assert len(held) == len(points) // 8
    return network, reports


def test_it_learns_a_trend() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (120, 2))
    targets = np.stack([np.sin(2 * points[:, 0]), points.prod(axis=1)], axis=1)
    network, _ = trained(points, targets, 300)
    between = np.random.default_rng(1).uniform(-0.9, 0.9, (200, 2))
    expected = np.stack([np.sin(2 * between[:, 0]), between.prod(axis=1)], axis=1)
    assert np.mean((network(between) - expected) ** 2) < 0.05 * expected.var(axis=0).mean()


def test_the_state_with_the_least_validation_error_is_kept() -> None:
    """Noise can be learned by heart, and that gets worse at what was not learned."""
    rng = np.random.default_rng(0)
    points, noise = rng.uniform(-1, 1, (40, 4)), rng.normal(0, 1, (40, 8))
    network, reports = trained(points, noise, 400)
    last = reports[-1]
    assert last.train_error is not None
    assert last.train_error < 0.5 * np.sum(noise.var(axis=0))
    learned = np.mean(np.sum((network(points) - noise) ** 2, axis=1))
    assert learned > 0.8 * np.sum(noise.var(axis=0))
    assert last.validation_error == min(r.validation_error or np.inf for r in reports)
