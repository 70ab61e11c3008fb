"""Nothing replaces an older file before it was read back as what it claims to be."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from trained_models import trained

from napari_btf.errors import ModelFileError, UsageError
from napari_btf.export.images import write_image
from napari_btf.export.movies import write_movie
from napari_btf.export.read_back import check_gif, check_image, check_mp4, check_text
from napari_btf.progress import finish
from napari_btf.training.keeping import save_or_keep

if TYPE_CHECKING:
    from napari_btf.codec import CompressedBTF
    from small_models import TrainOnce

FRAMES = [np.full((16, 18, 3), 20 * i, dtype=np.uint8) for i in range(5)]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.bmp", "a.tga", "a.exr"])
def test_images_pass_their_check_and_cut_off_ones_do_not(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    write_image(path, pixels)
    content = path.read_bytes()
    check_image(40, 30)(content, path)
    with pytest.raises(UsageError, match="could not be read again"):
        check_image(40, 30)(content[: len(content) // 3], path)
    with pytest.raises(UsageError, match="31 x 40"):
        check_image(40, 31)(content, path)


def test_films_are_counted(tmp_path: Path) -> None:
    gif, mp4 = tmp_path / "a.gif", tmp_path / "a.mp4"
    finish(write_movie(gif, FRAMES, 5))
    finish(write_movie(mp4, FRAMES, 5))
    with pytest.raises(UsageError, match="film"):
        check_gif(5)(gif.read_bytes()[:60], gif)
    with pytest.raises(UsageError, match="film of 6 frames"):
        check_mp4(mp4, lambda: 6)(mp4)
    mp4.write_bytes(mp4.read_bytes()[:-200])
    with pytest.raises(UsageError, match="film"):
        check_mp4(mp4, lambda: 5)(mp4)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", b'{"a": 1'), ("a.csv", b"x,y\n1\n"), ("a.onnx", b"\x08"), ("a.npy", b"\x93NUM")],
)
def test_texts_and_tables_are_parsed(name: str, content: bytes) -> None:
    with pytest.raises(UsageError, match="could not be read again"):
        check_text(content, Path(name))


def test_a_model_that_cannot_be_saved_is_kept(
    train_once: TrainOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_model: CompressedBTF = train_once("neural-basis", lambda: trained("neural-basis"))
    kept, file = tmp_path / "kept", tmp_path / "file"
    kept.mkdir()
    file.write_bytes(b"older")
    monkeypatch.setattr(tempfile, "tempdir", str(kept))
    with pytest.raises(ModelFileError) as found:
        save_or_keep(trained_model, file / "m.safetensors")
    (model,) = kept.iterdir()
    assert str(model) in str(found.value)
    assert model.read_bytes() == trained_model.to_bytes()
    assert file.read_bytes() == b"older"
