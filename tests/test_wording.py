"""Names of strangers' files cannot command a terminal, and sentences stay short."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_line import btf, refused
from napari_btf.errors import CaptureError
from napari_btf.wording import printable, shortened

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "x\x1b]0;title\x07\x9b2K\u202egnp\u2066\r\nforged line"


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_said_has_no_control_characters_and_can_be_encoded(text: str) -> None:
    said = printable(text)
    said.encode()
    assert not any(ord(c) < 32 or 126 < ord(c) < 160 for c in said)
    assert not any(c in said for c in "\u202e\u2066\u2028")
    assert printable(said) == said


def test_names_of_all_scripts_stay_as_they_are() -> None:
    for name in ("C:\\Bilder\\Stoff", "表面", "قماش", "naïve 👩‍🔬", "a\u200db"):
        assert printable(name) == name


def test_bytes_that_are_not_utf8_become_escapes() -> None:
    assert printable(os.fsdecode(b"caf\xe9")) == "caf\\udce9"


@given(st.text(), st.integers(1, 50))
def test_the_middle_is_left_out(text: str, most: int) -> None:
    assert len(shortened(text, most)) == min(len(text), most)


@pytest.mark.parametrize("size", [10, 120, 400, 5000])
def test_a_sentence_is_one_line_of_300_characters_at_most(size: int) -> None:
    path, problem = "/data/" + "p" * size + ".png", EVIL + "q" * size
    said = str(CaptureError(path, problem, "move it away"))
    assert len(said) <= 300
    assert "\n" not in said
    assert "\x1b" not in said
    assert said.startswith("/data/p")
    assert said.endswith("; move it away.")


def test_a_command_escapes_names_in_its_error_as_text_and_as_json(tmp_path: Path) -> None:
    missing = tmp_path / EVIL
    done = btf("info", missing)
    refused(done, "\\x1b]0;title\\x07")
    assert not set(done.stderr) & set("\x1b\x07\x9b\r\u202e")
    assert len(done.stderr.splitlines()) == 1
    done = btf("train", missing, "--out", tmp_path / "m.safetensors", "--log-json")
    assert "\\x1b]0;title" in json.loads(done.stderr.splitlines()[-1])["error"]
