"""The commands `sample`, `info` and `convert`, which work on captures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from napari_btf.cli.console import check_not_input, fail, reachable, run, say, tell, tell_json
from napari_btf.cli.options import (
    AsJson,
    Azimuth,
    Capture,
    MmPerTexel,
    Pattern,
    SkipBad,
    read_capture,
)
from napari_btf.running.cluster import connected

__all__ = ["convert", "info", "sample"]


def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", parser=reachable, help="New or empty folder.")
    ],
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="weave: 7 views x 81 lights, 64 x 64 texels; "
            "weave-lights: 1 view x 81 lights, 256 x 256 texels.",
        ),
    ] = "weave",
) -> None:
    """Write a sample capture, a woven cloth, as a folder of images."""
    from napari_btf.samples import write_sample

    try:
        count = write_sample(folder, name)
    except KeyboardInterrupt:
        fail(f"stopped; {folder} is incomplete", 1)
    tell(f"{count} images written to {folder}")


def info(
    capture: Capture,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    mm_per_texel: MmPerTexel = None,
    as_json: AsJson = False,
) -> None:
    """Print the format of a capture, its size, and its numbers of images, views and lights."""
    from napari_btf.btf.value_range import range_note

    btf = read_capture(capture, pattern, skip_bad, azimuth, mm_per_texel)
    note = range_note(btf)
    if note:
        say(f"note: {note}")
    facts = btf.info()
    if as_json:
        tell_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        text = f"{value:,}" if isinstance(value, int) else value
        if isinstance(value, list):
            text = ", ".join(value)
        tell(f"{key.replace('_', ' '):<{width}}  {text}")


def convert(
    capture: Capture,
    store: Annotated[
        Path,
        typer.Argument(metavar="STORE.zarr", parser=reachable, help="Texel store to write."),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an older store of the same name.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="Start again, even if there is an interrupted conversion to continue."
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Convert on a Dask cluster; ADDRESS is that of its scheduler, such as "
            "tcp://node:8786.",
        ),
    ] = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    azimuth: Azimuth = "ccw",
    mm_per_texel: MmPerTexel = None,
    as_json: AsJson = False,
) -> None:
    """Copy a capture into a texel store, which gives a few texels without reading all images.

    Ctrl-C interrupts the conversion; the same command continues it.
    """
    from napari_btf.formats.conversion import check_target
    from napari_btf.formats.conversion import convert as converted

    check_not_input(store, capture)
    check_target(store, overwrite)
    start = time.monotonic()
    btf = read_capture(capture, pattern, skip_bad, azimuth, mm_per_texel)
    try:
        with connected(scheduler) as client:
            run(converted(btf, store, overwrite=overwrite, restart=restart, client=client))
    except KeyboardInterrupt:
        fail("stopped; the same command continues the conversion", 1)
    summary = {
        "format": "texel store",
        "images": len(btf),
        "bytes_store": sum(file.stat().st_size for file in store.rglob("*") if file.is_file()),
        "bytes_capture": btf.nbytes,
        "seconds": round(time.monotonic() - start, 2),
    }
    if as_json:
        tell_json(summary)
        return
    tell(
        f"{store}: {summary['images']:,} images, {summary['bytes_store'] / 1e6:.1f} MB for "
        f"{summary['bytes_capture'] / 1e6:.1f} MB of pixels, {summary['seconds']:.1f} s"
    )
