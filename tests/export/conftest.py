from __future__ import annotations

import pytest
from trained_models import trained

from napari_btf.codec import CompressedBTF
from small_models import TrainOnce


@pytest.fixture(
    scope="session",
    params=[
        "neural-basis",
        "neural-basis, smoothed, on the disks",
        "neural-basis, radiance, one view",
        "parallax",
        "parallax, clamped",
        "parallax, one view",
        "abrdf-conv",
        "mlp, one view",
    ],
)
def any_model(request: pytest.FixtureRequest, train_once: TrainOnce) -> CompressedBTF:
    return train_once(request.param, lambda: trained(request.param))
