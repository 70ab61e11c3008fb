"""The commands `relight` and `normals`, which write images and movies of a model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from napari_btf.cli.console import check_not_input, check_writable, reachable, run, say, tell
from napari_btf.cli.options import Model
from napari_btf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["normals", "relight"]

Angles = tuple[float, float]
View = Annotated[
    str | None,
    typer.Option(
        metavar="THETA,PHI",
        help="Direction of the viewer (default: the captured view nearest to the normal).",
    ),
]


class _Look(NamedTuple):
    """The part of the surface to show, the size of the image, and its exposure."""

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
            parser=reachable,
            help="Image to write (.png, .tif, .exr, ...). With --path, a movie: .mp4, .gif, or a "
            "new folder of .png images.",
        ),
    ],
    light: Annotated[
        list[str] | None,
        typer.Option(
            metavar="THETA,PHI[,R,G,B[,INTENSITY]]",
            help="Direction of a light, and optionally its colour and intensity (linear; 1 is "
            "that of the capture). Several lights are added in linear light.",
        ),
    ] = None,
    view: View = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Environment map: overcast, window, studio, or an equirectangular image file.",
        ),
    ] = None,
    turn: Annotated[
        float | None,
        typer.Option(
            metavar="DEGREES", help="Turn the environment counter-clockwise about the normal."
        ),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv|NAME",
            help="Move the light: circle:THETA, spiral:THETA, sweep:THETA,PHI:THETA,PHI, or a CSV "
            "file of keyframes with the columns light_theta,light_phi and optionally "
            "view_theta,view_phi and seconds.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Duration of the path in seconds.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="N", help="Frames per second of a path (default: 25).")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="W,H", help="Size of the image in pixels (default: one pixel per texel)."
        ),
    ] = None,
    texels: Annotated[
        str | None,
        typer.Option(
            metavar="X0,Y0,X1,Y1",
            help="Show only this rectangle of texels: X0 <= x < X1, Y0 <= y < Y1.",
        ),
    ] = None,
    exposure: Annotated[
        float, typer.Option(metavar="STOPS", help="Multiply linear light by 2 to the power STOPS.")
    ] = 0.0,
    latents_as: Annotated[
        str,
        typer.Option(
            metavar="TYPE",
            help="Data type of the latents in memory: float32, or float16 or uint8 to save memory.",
        ),
    ] = "float32",
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Decode with PyTorch on this device: auto, cuda, mps or cpu (default: the CPU, "
            "without PyTorch).",
        ),
    ] = None,
) -> None:
    """Write an image or movie of the surface under any light, from any view.

    For example: napari-btf relight cloth.safetensors --light 52,130 --view 8,30 --out relit.png
    """
    from napari_btf.codec import load
    from napari_btf.export.images import check_image_name, write_image
    from napari_btf.export.movies import check_movie_name
    from napari_btf.relighting import Relighter, find_environment

    if sum(bool(given) for given in (light, environment, path)) != 1:
        raise UsageError(
            None,
            "exactly one of --light, --environment and --path is needed",
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
    if path:
        check_movie_name(out)
    else:
        check_image_name(out)
        check_writable(out)
    relighter = Relighter(load(model, latents_as).decoded_on(device))
    _check_rectangle(texels, look, relighter.model)
    if path is not None:
        _write_path(relighter, out, path, seconds, 25.0 if fps is None else fps, view_angles, look)
        return
    image = relighter.image(lighting, view_angles, **look.how)
    resized = look.resized(image)
    # Stretched pixels are not square, and no format here can say so.
    height, width = (resized.shape[i] / image.shape[i] for i in (0, 1))
    mm = relighter.model.mm_per_texel
    write_image(out, resized, None if mm is None or height != width else mm / width)
    _note_differences(relighter.model, lighting, view_angles)


def normals(
    model: Model,
    out: Annotated[
        Path,
        typer.Option(
            metavar="IMAGE",
            parser=reachable,
            help="Normal map to write: .tif and .exr store vectors, other formats store colours "
            "(n / 2 + 1 / 2).",
        ),
    ],
    albedo: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", parser=reachable, help="Albedo image to write."),
    ] = None,
    view: View = None,
) -> None:
    """Estimate the normals of the surface (x right, y up, z out) by photometric stereo.

    Every texel is assumed to be matte; gloss and interreflection make the estimate worse.
    """
    import numpy as np

    from napari_btf.codec import load
    from napari_btf.export.images import check_image_name, write_image
    from napari_btf.relighting import estimate_surface

    for path in (out, albedo):
        if path is not None:
            check_not_input(path, model)
            check_image_name(path)
            check_writable(path)
    if out == albedo:
        raise UsageError(out, "it is named twice", "name two different files")
    view_angles = None if view is None else _angles("--view", view)
    loaded = load(model)
    found = run(estimate_surface(loaded, view_angles))
    vectors = found.normals
    if out.suffix.lower() not in (".tif", ".tiff", ".exr"):
        vectors = np.rint(127.5 * vectors + 127.5).astype(np.uint8)
    write_image(out, vectors, loaded.mm_per_texel)
    if albedo is not None:
        write_image(albedo, found.albedo, loaded.mm_per_texel)
    _note_differences(loaded, None, view_angles)
    height, width = vectors.shape[:2]
    tell(f"{out}: normals of {width} x {height} texels, an estimate")


def _check_beside(name: str, given: str | None, others: dict[str, float | None]) -> None:
    """Raise a UsageError for options that have no effect because another one is missing."""
    for other, value in others.items():
        if given is None and value is not None:
            raise UsageError(None, f"{other} has no effect without {name}", "leave it out")


def _write_path(
    relighter: Any,
    out: Path,
    path: str,
    seconds: float | None,
    fps: float,
    view: Angles | None,
    look: _Look,
) -> None:
    """Write a movie of a moving light."""
    import numpy as np

    from napari_btf.directions import angles_to_vectors
    from napari_btf.export.movies import write_movie
    from napari_btf.relighting import differences_along, find_path, frames_along

    moved = find_path(path, seconds)
    times = moved.times(fps)
    count = len(times)
    if view is not None and moved.view is not None:
        raise UsageError(None, f"--view is given, but {path} has views, too", "leave out --view")
    frames = map(look.resized, frames_along(relighter, moved, fps, view, **look.how))
    # `closing`, so that an interrupted movie leaves no incomplete file.
    with closing(write_movie(out, frames, count, fps)) as job:
        run(job)
    light, towards = moved.at(times)
    if view is not None:
        towards = np.broadcast_to(angles_to_vectors(*view), light.shape)
    _say_notes(differences_along(relighter.model, light, towards))
    tell(f"{out}: {count} frames, {count / fps:.4g} s")


def _note_differences(model: Any, lighting: Any, view: Angles | None) -> None:
    """Print a note for each requested direction outside the captured range."""
    from napari_btf.relighting import Environment, differences

    if lighting is None or isinstance(lighting, Environment):
        # The lights of an environment are inside the captured range: only the view needs a check.
        asked: list[Angles | None] = [None]
    else:
        asked = [lighting] if isinstance(lighting, tuple) else [(x.theta, x.phi) for x in lighting]
    _say_notes(note for one in asked for note in differences(model, one, view))


def _say_notes(notes: Iterable[str]) -> None:
    """Print each distinct note once."""
    for note in dict.fromkeys(notes):
        say(f"note: {note}")


def _lights(texts: list[str]) -> Any:
    """Parse ``--light``: (theta, phi) if there is one light without a colour, else lights."""
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
    """Parse ``--texels``, ``--size`` and ``--exposure``."""
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
    """Raise a UsageError if ``--texels`` is empty or reaches beyond the surface."""
    if look.rows is None or look.columns is None:
        return
    sides = ((look.rows, model.height), (look.columns, model.width))
    if not all(0 <= side.start < side.stop <= most for side, most in sides):
        raise UsageError(
            None,
            f"--texels {texels} is no rectangle inside a surface of {model.width} x {model.height}",
            "give X0,Y0,X1,Y1 with X0 < X1 and Y0 < Y1 inside the surface",
        )


def _angles(option: str, text: str) -> Angles:
    """Parse ``THETA,PHI``."""
    theta, phi = _numbers(option, text, (2,), "THETA,PHI", "30,45")
    return theta, phi


def _numbers(
    option: str, text: str, counts: tuple[int, ...], form: str, example: str
) -> list[float]:
    """Parse numbers separated by commas; ``form`` and ``example`` are for the error message."""
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
    """Parse integers separated by commas; ``form`` and ``example`` are for the error message."""
    try:
        numbers = [int(part) for part in text.split(",")]
        if len(numbers) != count:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            None, f"{option} is {text!r}", f"give {form} in texels, for example {example}"
        ) from error
    return numbers
