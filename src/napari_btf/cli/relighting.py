"""The verbs `relight` and `normals`: from a model to images and movies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from napari_btf.cli.console import check_not_input, reachable, run, say, tell
from napari_btf.cli.options import Model
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["normals", "relight"]

Angles = tuple[float, float]
View = Annotated[
    str | None,
    typer.Option(metavar="THETA,PHI", help="Direction of the viewer (else the most frontal one)."),
]


class _Look(NamedTuple):
    """Which texels, how large, how bright."""

    rows: slice | None
    columns: slice | None
    size: Angles | None
    exposure: float

    @property
    def how(self) -> dict[str, Any]:
        return {"rows": self.rows, "columns": self.columns, "exposure": self.exposure}

    def resized(self, image: Any) -> Any:
        from napari_btf.export.images import resized

        return image if self.size is None else resized(image, int(self.size[0]), int(self.size[1]))


def relight(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            callback=reachable,
            help="Image to write (.png, .tif, .exr, ...); with --path .mp4, .gif or a folder.",
        ),
    ],
    light: Annotated[
        list[str] | None,
        typer.Option(
            metavar="THETA,PHI[,R,G,B[,INTENSITY]]",
            help="Direction of a light, and its colour (linear). Several add up in linear light.",
        ),
    ] = None,
    view: View = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Light from all around: overcast, window, studio, or an equirectangular image.",
        ),
    ] = None,
    turn: Annotated[
        float | None,
        typer.Option(metavar="DEGREES", help="Turn the environment counter-clockwise."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv|NAME",
            help="Move the light: circle:THETA, spiral:THETA, sweep:THETA,PHI:THETA,PHI, or a CSV "
            "of keyframes with the columns light_theta,light_phi and, if they are to change, "
            "view_theta,view_phi, and seconds.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="How long the path takes.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="N", help="Frames per second of a path [default: 25].")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="W,H", help="Pixels of the image (else one a texel).")
    ] = None,
    texels: Annotated[
        str | None,
        typer.Option(
            metavar="X0,Y0,X1,Y1", help="Only this rectangle: x0 <= x < x1, y0 <= y < y1."
        ),
    ] = None,
    exposure: Annotated[
        float, typer.Option(metavar="STOPS", help="Multiply light by two to the power of STOPS.")
    ] = 0.0,
    latents_as: Annotated[
        str,
        typer.Option(
            metavar="TYPE", help="Latents in memory: float32, or float16 or uint8 to save memory."
        ),
    ] = "float32",
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Decode by torch on a device: auto, cuda, mps or cpu."),
    ] = None,
) -> None:
    """Write the surface under any light, from any view.

    For example: napari-btf relight cloth.safetensors --light 52,130 --view 8,30 --out relit.png
    """
    from napari_btf.codec import load
    from napari_btf.export.images import check_image_name, write_image
    from napari_btf.export.movies import check_movie_name
    from napari_btf.relighting import Relighter, find_environment

    if sum(bool(given) for given in (light, environment, path)) != 1:
        raise UsageError(
            None,
            "the light comes from one of --light, --environment and --path",
            "give one of them (--light several times for several lights)",
        )
    _check_beside("--path", path, {"--seconds": seconds, "--fps": fps})
    _check_beside("--environment", environment, {"--turn": turn})
    for other in (environment, path):
        check_not_input(out, model, None if other is None else Path(other))
    view_angles = None if view is None else _angles("--view", view)
    look = _look(texels, size, exposure)
    if environment is not None:
        lighting: Any = find_environment(environment, turn or 0.0)
    else:
        lighting = _lights(light or [])
    check_movie_name(out) if path else check_image_name(out)
    relighter = Relighter(load(model, latents_as).decoded_on(device))
    _check_rectangle(texels, look, relighter.model)
    if path is not None:
        _write_path(relighter, out, path, seconds, 25.0 if fps is None else fps, view_angles, look)
        return
    image = relighter.image(lighting, view_angles, **look.how)
    write_image(out, look.resized(image))
    _say_what_differs(relighter.model, lighting, view_angles)


def normals(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            metavar="IMAGE",
            callback=reachable,
            help="Normals: .tif and .exr as vectors, others as colours (0.5 is 0).",
        ),
    ],
    albedo: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", callback=reachable, help="Write the albedo, too."),
    ] = None,
    view: View = None,
) -> None:
    """Estimate the normals of the surface (x right, y up, z out) by photometric stereo.

    Every texel is taken for matte; gloss and light from neighbours make the estimate worse.
    """
    import numpy as np

    from napari_btf.codec import load
    from napari_btf.export.images import check_image_name, write_image
    from napari_btf.relighting import estimate_surface

    for path in (out, albedo):
        if path is not None:
            check_not_input(path, model)
            check_image_name(path)
    if out == albedo:
        raise UsageError(out, "it is named twice", "name two files")
    view_angles = None if view is None else _angles("--view", view)
    loaded = load(model)
    found = run(estimate_surface(loaded, view_angles))
    vectors = found.normals
    if out.suffix.lower() not in (".tif", ".tiff", ".exr"):
        vectors = np.rint(127.5 * vectors + 127.5).astype(np.uint8)
    write_image(out, vectors)
    if albedo is not None:
        write_image(albedo, found.albedo)
    _say_what_differs(loaded, None, view_angles)
    height, width = vectors.shape[:2]
    tell(f"{out}: normals of {width} x {height} texels, an estimate")


def _check_beside(name: str, given: str | None, others: dict[str, float | None]) -> None:
    """Refuse options that would change nothing without another one."""
    for other, value in others.items():
        if given is None and value is not None:
            raise UsageError(None, f"{other} has no place without {name}", "leave it out")


def _write_path(
    relighter: Any,
    out: Path,
    path: str,
    seconds: float | None,
    fps: float,
    view: Angles | None,
    look: _Look,
) -> None:
    import numpy as np

    from napari_btf.directions import angles_to_vectors
    from napari_btf.export.movies import write_movie
    from napari_btf.relighting import differences_along, find_path, frames_along

    moved = find_path(path, seconds)
    times = moved.times(fps)
    count = len(times)
    if view is not None and moved.view is not None:
        raise UsageError(None, f"--view is given, and {path} has views, too", "give one of them")
    frames = map(look.resized, frames_along(relighter, moved, fps, view, **look.how))
    # Closed at once when it is interrupted: nothing half-written stays.
    with closing(write_movie(out, frames, count, fps)) as job:
        run(job)
    light, towards = moved.at(times)
    if view is not None:
        towards = np.broadcast_to(angles_to_vectors(*view), light.shape)
    _say_notes(differences_along(relighter.model, light, towards))
    tell(f"{out}: {count} frames, {count / fps:.4g} s")


def _say_what_differs(model: Any, lighting: Any, view: Angles | None) -> None:
    from napari_btf.relighting import Environment, differences

    if lighting is None or isinstance(lighting, Environment):
        # Its lights stand where lights were captured; only the view may be another.
        asked: list[Angles | None] = [None]
    else:
        asked = [lighting] if isinstance(lighting, tuple) else [(x.theta, x.phi) for x in lighting]
    _say_notes(note for one in asked for note in differences(model, one, view))


def _say_notes(notes: Iterable[str]) -> None:
    """Each once."""
    for note in dict.fromkeys(notes):
        say(f"note: {note}")


def _lights(texts: list[str]) -> Any:
    """Angles of one plain light, or a list of lights."""
    from napari_btf.relighting import Light

    found = []
    for text in texts:
        numbers = _numbers("--light", text, (2, 5, 6), "THETA,PHI[,R,G,B[,INTENSITY]]", "30,45")
        if len(texts) == 1 and len(numbers) == 2:
            return numbers[0], numbers[1]
        theta, phi, *colour = numbers
        red, green, blue, intensity = [*colour, *(1.0, 1.0, 1.0, 1.0)[len(colour) :]]
        found.append(Light(theta, phi, (red, green, blue), intensity))
    return found


def _look(texels: str | None, size: str | None, exposure: float) -> _Look:
    rows = columns = wanted = None
    if texels is not None:
        x0, y0, x1, y1 = _integers("--texels", texels, 4, "X0,Y0,X1,Y1", "0,0,64,64")
        rows, columns = slice(y0, y1), slice(x0, x1)
    if size is not None:
        width, height = _integers("--size", size, 2, "W,H", "512,512")
        if min(width, height) < 1:
            raise UsageError(None, f"--size is {size!r}", "give at least one pixel")
        wanted = width, height
    return _Look(rows, columns, wanted, exposure)


def _check_rectangle(texels: str | None, look: _Look, model: Any) -> None:
    if look.rows is None or look.columns is None:
        return
    sides = ((look.rows, model.height), (look.columns, model.width))
    if not all(0 <= side.start < side.stop <= most for side, most in sides):
        raise UsageError(
            None,
            f"--texels {texels} is no rectangle of a surface of {model.width} x {model.height}",
            "give X0,Y0,X1,Y1 with X0 < X1 and Y0 < Y1 inside it",
        )


def _angles(option: str, text: str) -> Angles:
    theta, phi = _numbers(option, text, (2,), "THETA,PHI", "30,45")
    return theta, phi


def _numbers(
    option: str, text: str, counts: tuple[int, ...], form: str, example: str
) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) not in counts:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            None, f"{option} is {text!r}", f"give {form}, angles in degrees, for example {example}"
        ) from error
    return numbers


def _integers(option: str, text: str, count: int, form: str, example: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
        if len(numbers) != count:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            None, f"{option} is {text!r}", f"give {form} in texels, for example {example}"
        ) from error
    return numbers
