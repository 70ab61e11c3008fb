"""Images that follow directions: the first one at once, those after it in machine code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from small_models import SmallModel

# A process of its own: others have made the code already.
WATCH = """
import sys, time
from qtpy.QtCore import QCoreApplication
import napari_btf
from napari_btf.codec.decoding.compiled import kernels
from napari_btf.plugin.jobs.renderer import Renderer
from napari_btf.relighting.shots import Shot
app = QCoreApplication([])
model = napari_btf.load(sys.argv[1])
frames, made = Renderer(), []
frames.made.connect(lambda frame: made.append((kernels() is not None, frame.pixels)))
def wait(until):
    end = time.monotonic() + 120
    while not until():
        assert time.monotonic() < end
        app.processEvents()
        time.sleep(0.005)
frames.want(Shot(model, (35, 20), (25, 110)))
wait(lambda: made)
wait(lambda: kernels() is not None)
frames.want(Shot(model, (35, 20), (25, 110)))
wait(lambda: len(made) == 2)
apart = abs(made[0][1].astype(int) - made[1][1]).max()
print(made[0][0], made[1][0], apart <= 1, "torch" in sys.modules)
"""


def test_machine_code_is_made_after_the_first_image(
    small_model: SmallModel, tmp_path: Path
) -> None:
    path = small_model("parallax").save(tmp_path / "model.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True", "True", "False"]
