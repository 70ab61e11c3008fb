"""The verb `demo`: everything on the sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import fail, reachable, run, tell
from napari_btf.cli.options import quality_text

__all__ = ["demo"]


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", callback=reachable, help="Where the results go.")
    ] = Path("napari-btf-demo"),
    gui: Annotated[bool, typer.Option("--gui", help="Open the result in napari.")] = False,
) -> None:
    """Run everything on the sample: compress, latent map, t-SNE, relight."""
    from napari_btf.demo import run_demo

    try:
        result = run(run_demo(out))
    except KeyboardInterrupt:
        fail(f"stopped; what was done so far is in {out}", 1)
    tell(f"{quality_text(result.summary)}")
    tell(f"Results are in {result.folder}:")
    for path in sorted(result.folder.iterdir()):
        tell(f"  {path.name}")
    if not gui:
        tell("To see it in napari and move the light:  napari-btf demo --gui")
        return
    from napari_btf.plugin.launch import open_demo

    open_demo(result.model)
