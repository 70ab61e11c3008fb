"""The command `demo`, which runs all steps on the sample capture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import fail, reachable, run, tell
from napari_btf.cli.options import quality_text

__all__ = ["demo"]


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", parser=reachable, help="Folder for the results.")
    ] = Path("napari-btf-demo"),
    gui: Annotated[bool, typer.Option("--gui", help="Open the result in napari.")] = False,
) -> None:
    """Run all steps on the sample capture: compress it, embed its latents by t-SNE, relight it."""
    from napari_btf.demo import run_demo

    try:
        result = run(run_demo(out))
    except KeyboardInterrupt:
        fail(f"stopped; the results so far are in {out}", 1)
    tell(f"{quality_text(result.summary)}")
    tell(f"Results are in {result.folder}:")
    for path in sorted(result.folder.iterdir()):
        tell(f"  {path.name}")
    if not gui:
        tell("To see it in napari and move the light:  napari-btf demo --gui")
        return
    from napari_btf.plugin.launch import open_demo

    open_demo(result.model)
