from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from napari_btf.samples import SAMPLES, sample_path

ROOT = Path(__file__).parent.parent


def test_the_wheel_is_complete(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*command, str(ROOT)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("napari_btf-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = archive.read("napari_btf/napari.yaml").decode()
        samples = {name: archive.read(f"napari_btf/samples/{name}.zip") for name in SAMPLES}
        info = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        entry_points = archive.read(info).decode()
        metadata = archive.read(info.replace("entry_points.txt", "METADATA")).decode()
    assert {"napari_btf/py.typed", "napari_btf/plugin/train/dock.py"} <= names
    assert "napari_btf/docs/using.md" in names
    real = ROOT / "src" / "napari_btf" / "napari.yaml"
    assert manifest.splitlines() == real.read_text(encoding="utf-8").splitlines()
    # Windows may have checked the link out as a file with the target's name.
    assert (ROOT / "napari.yaml").resolve() == real or not (ROOT / "napari.yaml").is_symlink()
    assert samples == {name: sample_path(name).read_bytes() for name in SAMPLES}
    assert "[napari.manifest]\nnapari-btf = napari_btf:napari.yaml" in entry_points
    assert "Classifier: Framework :: napari" in metadata
    assert "pyqt" not in metadata.lower()
    assert wheel.stat().st_size < 8_000_000
