"""The calls of scripts and notebooks: they return when they are done, and show a bar meanwhile.

What they run are the generators of `napari_btf.training`, `napari_btf.embedding` and
`napari_btf.formats.conversion`, which windows iterate themselves.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from napari_btf import embedding, training
from napari_btf.formats import conversion
from napari_btf.progress import finish
from napari_btf.running.interrupts import interruptible
from napari_btf.running.reporting import shown
from napari_btf.training.options import OPTION_NAMES, TrainingOptions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_btf.btf import BTF
    from napari_btf.codec import CompressedBTF
    from napari_btf.progress import Job, Progress

T = TypeVar("T")

__all__ = ["convert", "embed", "run", "train"]


def train(
    btf: BTF,
    *,
    bytes_per_texel: float | None = None,
    target_psnr: float | None = None,
    latents: int | None = None,
    codec: str = "auto",
    texels: str | Path | ArrayLike | None = None,
    step: int = 1,
    pixels: int | None = None,
    hold_out_lights: str | Path | int | ArrayLike | None = None,
    seconds: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    memory: float = 2.0,
    progress: bool = True,
) -> CompressedBTF:
    """Compress a BTF into a model, and score it.

    Ctrl-C, or *Interrupt* in a notebook, ends the training early and keeps the best so far; once
    more, or while images are read, it gives up with a `KeyboardInterrupt`.

    Parameters
    ----------
    btf : BTF
    bytes_per_texel : float, optional
        Size of the model's file, with 64 KiB on top; 8 if neither this nor one of the next two is
        given.
    target_psnr : float, optional
        dB over the captured directions, reached with the smallest model.
    latents : int, optional
        Latents per texel.
    codec : str
        "neural-basis", "parallax", or "auto": parallax where 16 views and 256 images or more were
        captured. To compare with: "abrdf-conv", "mlp".
    texels : path or array_like, optional
        Texels to learn from, all by default: a CSV file with the header ``x,y``; a mask or label
        image of shape (H, W), not zero where texels are chosen; or integer rows ``(y, x)`` of
        shape (T, 2). The whole surface is encoded in any case.
    step : int
        Keep one of every so many texels in both directions.
    pixels : int, optional
        Learn from so many texels, chosen at random. Not with ``texels``.
    hold_out_lights : path, int or array_like, optional
        Lights that are kept for scoring: a text file of ``theta phi`` lines; a number n, for one of
        every n lights; rows ``(theta, phi)`` in degrees; or a mask of observations, (N,).
    seconds, epochs : float, int, optional
        Length of the training, one of them; as the codec needs by default.
    seed : int
        Of every random choice.
    device : str
        "auto", or a torch device such as "cpu" or "cuda".
    memory : float
        GiB for data, at most.
    progress : bool
        Whether to show a bar, where there is a terminal or a notebook to show it.

    Returns
    -------
    CompressedBTF
        Its ``report`` holds the figures that ``napari-btf train --json`` prints.

    Raises
    ------
    UsageError, CoordinatesError
        If an option does not fit the capture; nothing has been read then.
    CaptureError
        If an image cannot be read.
    """
    given = locals()
    options = TrainingOptions(**{name: given[name] for name in OPTION_NAMES})
    phases: set[str] = set()
    with interruptible(phases) as stop:
        job = training.train(
            btf, options.coords(btf), options.settings, options.held_out(btf), stop
        )
        model, report = run(job, progress, phases)
    return replace(model, report=report.summary(model.file_size))


def embed(
    model: CompressedBTF,
    method: embedding.Method = "tsne",
    *,
    coords: ArrayLike | None = None,
    seed: int = 0,
    budget: int | None = embedding.DEFAULT_BUDGET,
    progress: bool = True,
) -> NDArray[Any]:
    """Place texels in the plane so that texels with alike latents lie together.

    Parameters
    ----------
    model : CompressedBTF
    method, coords, seed, budget
        As for `napari_btf.embedding.embed`.
    progress : bool
        Whether to show a bar, where there is a terminal or a notebook to show it.

    Returns
    -------
    ndarray, shape (T, 2)
        One row a texel: of ``coords``, or of all, row by row.

    Raises
    ------
    UsageError
        If a setting cannot work.
    """
    return run(embedding.embed(model, method, coords, seed, budget), progress)


def convert(
    btf: BTF,
    store: str | Path,
    *,
    overwrite: bool = False,
    restart: bool = False,
    client: Any = None,
    progress: bool = True,
) -> Path:
    """Copy a BTF into a texel store, in which texels are found without reading all images.

    Interrupted, it goes on from there when it is called again.

    Parameters
    ----------
    btf : BTF
    store, overwrite, restart, client
        As for `napari_btf.formats.conversion.convert`.
    progress : bool
        Whether to show a bar, where there is a terminal or a notebook to show it.

    Returns
    -------
    Path
        The store, for `napari_btf.read`.

    Raises
    ------
    StoreError, CaptureError
        If it cannot be written, or an image cannot be read.
    """
    job = conversion.convert(btf, store, overwrite=overwrite, restart=restart, client=client)
    return run(job, progress)


def run(job: Job[T], progress: bool = True, phases: set[str] | None = None) -> T:
    """Run a job to its end, with a bar where there is a terminal or a notebook to show it.

    For all that is a generator of `napari_btf.progress.Progress`, such as
    `napari_btf.evaluate.evaluate` and `napari_btf.relighting.estimate_surface`.

    Parameters
    ----------
    job : Generator
    progress : bool
        Whether to show a bar.
    phases : set of str, optional
        Gathers the phases that the job has come to.

    Returns
    -------
    The job's result.
    """
    with shown() if progress else nullcontext() as report:

        def remember(now: Progress) -> None:
            if phases is not None:
                phases.add(now.phase)
            if report is not None:
                report(now)

        try:
            return finish(job, remember)
        finally:
            job.close()
