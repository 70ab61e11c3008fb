"""What README and docs tell people to type is typed here, and so are their Python blocks.

A command is a line that begins with ``napari-btf``, in a block of ``sh`` or indented by four
spaces; lines that are indented farther go on with it. Those that have words in capitals (CAPTURE,
DIR) or brackets outside quotes only show a form: of these the verb and the options must exist. All
others are run, document by document, in their order, in a folder that has what they name: see
`scene`. So that this is quick, the sample is cut to 24 x 24 texels, two views and seven lights,
whenever a command has written it.

Lines of the documents are at most 100 characters long, so that they can be read in an editor, and
so that a diff shows what changed.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest
from PIL import Image
from typer.main import get_command

import napari_btf
from command_line import Run
from napari_btf.cli import app
from napari_btf.samples import write_sample

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.py"))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A link or an image alone on its line, if need be with a list mark before it.
_LINK = re.compile(r"\s*(?:- )?!?\[[^\]]*\]\([^)]*\)[.,:;]?")


def blocks(document: Path, language: str) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def commands(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8")
    indented = re.findall(r"(?:^    .*\n?)+", _BLOCK.sub("", text), re.MULTILINE)
    found: list[str] = []
    for block in [*blocks(document, "sh"), *(re.sub("^    ", "", b, flags=re.M) for b in indented)]:
        going_on = False
        for line in block.splitlines():
            if going_on and line.startswith(" "):
                found[-1] += " " + line.strip()
                continue
            going_on = line.startswith("napari-btf ")
            if going_on:
                found.append(line)
    return found


def is_form(command: str) -> bool:
    """Whether a command only shows a form."""
    return bool(re.search(r"\b[A-Z][A-Z_]+\b|\[|\.\.\.", re.sub(r"'[^']*'|#.*", "", command)))


def cut(folder: Path) -> None:
    """Make the sample small."""
    for view in sorted(folder.iterdir())[2:]:
        shutil.rmtree(view)
    for view in folder.iterdir():
        for i, path in enumerate(sorted(view.iterdir())):
            if i % 12:
                path.unlink()
                continue
            with Image.open(path) as image:
                small = image.crop((20, 20, 44, 44))
            small.save(path, quality=95)


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    write_sample(folder / "weave")
    cut(folder / "weave")
    first, _ = sorted((folder / "weave").iterdir())
    for name in ("wallpaper", "captures/cloth", "captures/paper"):
        shutil.copytree(first, folder / name)
    (folder / "rig7").mkdir()
    for path in first.iterdir():
        tl, pl, tv, pv = (word[2:] for word in path.stem.split()[1:])
        shutil.copy(path, folder / "rig7" / f"cam{tv}_{pv}-lamp{tl}_{pl}.jpg")
    (folder / "texels.csv").write_text(
        "x,y\n" + "".join(f"{x},{y}\n" for x in range(24) for y in range(4, 20))
    )
    model = napari_btf.train(napari_btf.read(folder / "weave"), latents=6)
    model.save(folder / "weave.safetensors")
    return folder


@pytest.fixture
def scene(scenery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what documents name.

    Captures ``weave`` (the sample), ``wallpaper``, ``rig7`` (odd names) and ``captures/*``, the
    model ``weave.safetensors``, and ``texels.csv``.
    """
    folder = tmp_path / "scene"
    shutil.copytree(scenery, folder)
    monkeypatch.chdir(folder)
    return folder


def test_commands_are_found() -> None:
    found = [command for document in DOCUMENTS for command in commands(document)]
    run = [command for command in found if not is_form(command)]
    assert "napari-btf sample weave" in run[0]
    assert any("rig7 --pattern 'cam(?P<tv>" in command for command in run)
    assert any("[--seed N] [--device auto]" in command for command in found if is_form(command))
    assert len(run) >= 15


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if commands(d) or blocks(d, "python")], ids=lambda d: d.stem
)
def test_what_a_document_says_works(document: Path, scene: Path, run: Run) -> None:
    for command in commands(document):
        if is_form(command):
            continue
        words = shlex.split(command, comments=True)[1:]
        done = run(*words)
        assert done.code == 0, (command, done.err)
        if words[0] == "sample":
            cut(scene / words[1])
    variables: dict[str, object] = {}
    for code in blocks(document, "python"):
        exec(compile(code, str(document), "exec"), variables)


def test_forms_name_verbs_and_options_that_exist() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    options = {
        name: {option for parameter in verb.params for option in parameter.opts}
        | {option for parameter in verb.params for option in parameter.secondary_opts}
        for name, verb in verbs.items()
    }
    named: dict[str, set[str]] = {name: set() for name in verbs}
    for document in DOCUMENTS:
        for command in commands(document):
            verb = command.split()[1]
            if verb in named:
                named[verb] |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", command))
            else:
                assert verb.startswith("-") or verb == "VERB", command
    for name, found in named.items():
        assert found <= options[name], name
        assert found or options[name] <= {"folder", "--help"}, f"{name} is in no document"


def long_lines(text: str) -> list[str]:
    """The lines over 100 characters that could be broken.

    Tables and code blocks may be longer, and so may a line that is one link or one image.
    """
    return [
        line
        for line in _BLOCK.sub("", text).splitlines()
        if len(line) > 100 and not line.startswith(("|", "    ")) and not _LINK.fullmatch(line)
    ]


def test_long_lines_are_found() -> None:
    words = "word " * 30
    link = f"[a link](https://example.org/{'x' * 100})"
    image = f"![{words}](image.png)"
    for text in (words, f"- {words}", f"  {words}", f"{words}{link}"):
        assert long_lines(f"short\n{text}\n") == [text]
    blocks = f"| {words} |\n\n    {words}\n\n```sh\n{words}\n```\n"
    assert long_lines(f"{blocks}\n{link},\n\n- {link}\n\n{image}\n") == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_of_a_document_are_short(document: Path) -> None:
    assert long_lines(document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook(
    notebook: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a script, which is the same as running all cells."""
    cells = jupytext.read(notebook).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert sum(cell.cell_type == "code" for cell in cells) >= 4
    monkeypatch.chdir(tmp_path)
    # Plots are drawn and not shown.
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    runpy.run_path(str(notebook))
    assert "Warning" not in capsys.readouterr().err
    assert f"({notebook.name})" in (notebook.parent / "index.md").read_text(encoding="utf-8")
