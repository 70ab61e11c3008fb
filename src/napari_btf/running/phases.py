"""All phases that jobs report: their names, their words for people, and what signals do there."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PHASES", "Phase", "phase_named"]


@dataclass(frozen=True)
class Phase:
    """One phase of a job.

    Parameters
    ----------
    name : str
        What `napari_btf.progress.Progress` and the JSON of ``--log-json`` call it.
    words : str
        What a person reads on the command line: lower case, what is being done.
    takes_notes : bool
        Whether a training writes checkpoints in this phase. SIGTERM and SIGUSR1 then wait for one
        last checkpoint, from which the training can be resumed; in other phases they end the
        program at once.
    keeps_best : bool
        Whether this phase trains a model, so that the first Ctrl-C can end it early and keep the
        best model so far.
    """

    name: str
    words: str
    takes_notes: bool = False
    keeps_best: bool = False

    @property
    def label(self) -> str:
        """What a person reads in a dock: the same words, with a capital letter."""
        return self.words[:1].upper() + self.words[1:]


#: All phases by name.
PHASES = {
    phase.name: phase
    for phase in (
        # captures
        Phase("read", "reading images"),
        Phase("convert", "writing the texel store"),
        Phase("verify", "checking the texel store"),
        Phase("superpixels", "computing superpixels"),
        Phase("sample", "choosing texels"),
        # training; "slower" follows a divergence
        Phase("compile", "compiling machine code, once"),
        Phase("basis", "finding the basis"),
        Phase("train", "training", takes_notes=True, keeps_best=True),
        Phase("train slower", "training with smaller steps", takes_notes=True, keeps_best=True),
        Phase("imagine", "predicting directions that were not captured"),
        Phase("encode", "encoding texels", takes_notes=True),
        Phase(
            "encode slower", "encoding texels with smaller steps", takes_notes=True, keeps_best=True
        ),
        Phase("quantise", "compressing latents"),
        # quality
        Phase("evaluate", "measuring quality"),
        Phase("similarity", "measuring structural similarity"),
        Phase("layers", "preparing layers"),
        Phase("baselines", "fitting classical codecs"),
        # latents
        Phase("neighbours", "finding similar texels"),
        Phase("embed", "placing texels on the map"),
        Phase("place", "placing the other texels"),
        Phase("segment", "segmenting the surface"),
        # images
        Phase("lights", "decoding an image for each light"),
        Phase("normals", "estimating normals"),
        Phase("movie", "writing frames"),
        Phase("draw", "drawing figures"),
    )
}


def phase_named(name: str) -> Phase:
    """The phase of this name; one that is not in the table has no other words than its name."""
    return PHASES.get(name) or Phase(name, name)
