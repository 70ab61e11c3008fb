"""Blocking functions with a progress bar, for scripts and notebooks.

They run the generators of `napari_btf.training`, `napari_btf.embedding` and
`napari_btf.formats.conversion` to their end. The docks of napari iterate these generators
themselves.
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
    """Compress a BTF into a model, and measure the quality of the model.

    Ctrl-C, or *Interrupt* in a notebook, ends the training early and keeps the best model so far.
    A second one, or one before the training begins, raises a `KeyboardInterrupt`.

    Parameters
    ----------
    btf : BTF
    bytes_per_texel : float, optional
        Largest size of the model file: this number of bytes for each texel, plus 64 KiB. The
        default is 8, unless ``target_psnr`` or ``latents`` is given.
    target_psnr : float, optional
        Use the smallest model that reaches this PSNR, in dB, over the captured directions.
    latents : int, optional
        Number of latents per texel.
    codec : str
        "neural-basis", "parallax", or "auto", which takes parallax for captures of at least 16
        views and 256 images. "abrdf-conv" and "mlp" are for comparison.
    texels : path or array_like, optional
        Texels to train on, all by default: a CSV file with the header ``x,y``; a mask or label
        image of shape (H, W), where texels with a value other than zero are chosen; or integer
        rows ``(y, x)`` of shape (T, 2). The whole surface is encoded in any case.
    step : int
        Train only on every ``step``-th texel in both directions.
    pixels : int, optional
        Train on this number of texels, chosen at random. Not together with ``texels``.
    hold_out_lights : path, int or array_like, optional
        Lights that are not trained on but used to measure the quality: a text file of ``theta phi``
        lines; a number n, for one of every n lights; rows ``(theta, phi)`` in degrees; or a mask
        of observations, (N,).
    seconds, epochs : float, int, optional
        Length of the training in seconds or in epochs; by default the codec chooses it.
    seed : int
        Seed of all random choices.
    device : str
        "auto", or a torch device such as "cpu" or "cuda".
    memory : float
        Largest amount of memory for data, in GiB.
    progress : bool
        Whether to show a progress bar, if there is a terminal or a notebook.

    Returns
    -------
    CompressedBTF
        Its ``report`` contains the numbers that ``napari-btf train --json`` prints.

    Raises
    ------
    UsageError, CoordinatesError
        If an argument does not fit the capture; this is checked before images are read.
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
    """Place texels in the plane so that texels with similar latents are close together.

    Parameters
    ----------
    model : CompressedBTF
    method, coords, seed, budget
        As for `napari_btf.embedding.embed`.
    progress : bool
        Whether to show a progress bar, if there is a terminal or a notebook.

    Returns
    -------
    ndarray, shape (T, 2)
        One point per row of ``coords``, or per texel of the surface, row by row.

    Raises
    ------
    UsageError
        If an argument is out of range.
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
    """Copy a BTF into a texel store, from which a few texels are read without reading all images.

    After an interruption, a call with the same arguments continues the conversion.

    Parameters
    ----------
    btf : BTF
    store, overwrite, restart, client
        As for `napari_btf.formats.conversion.convert`.
    progress : bool
        Whether to show a progress bar, if there is a terminal or a notebook.

    Returns
    -------
    Path
        The store, which `napari_btf.read` opens.

    Raises
    ------
    StoreError, CaptureError
        If the store cannot be written, or if an image cannot be read.
    """
    job = conversion.convert(btf, store, overwrite=overwrite, restart=restart, client=client)
    return run(job, progress)


def run(job: Job[T], progress: bool = True, phases: set[str] | None = None) -> T:
    """Run a job to its end, with a progress bar, and return its result.

    A job is a generator of `napari_btf.progress.Progress`; for example,
    `napari_btf.evaluate.evaluate` and `napari_btf.relighting.estimate_surface` return one.

    Parameters
    ----------
    job : Generator
    progress : bool
        Whether to show a progress bar, if there is a terminal or a notebook.
    phases : set of str, optional
        A set to which the name of each phase is added when the job enters it.

    Returns
    -------
    object
        The return value of the generator.
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
