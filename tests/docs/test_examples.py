"""What the pages show is run: a page is a story, told from top to bottom in a folder of its own.

| block | what happens |
|---|---|
| `yaml` that begins with `version:` | must be a valid configuration; secret files that are not there are excused |
| `yaml` of other sections of the file | the same, after what it leaves out was filled in |
| `yaml`, other | must be YAML 1.2 |
| `json` | must be JSON |
| `python` | is run; blocks of one page share their names; `await` at the top is fine |
| `console` | each `$ ostiary …` that is offline is run, and what is shown below it compared; `…` stands for anything |

A second word after the language is a file's name: the block is written there, and what follows may use it.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import re
import shlex
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Final

import pytest
from ruamel.yaml import YAML
from tests.docs.markdown import ROOT, Block, pages, split

from ostiary.cli import run
from ostiary.config import ConfigurationError, SecretFailure, load_bytes
from ostiary.judge.loading import LATER_SECTIONS, judge_sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Offline, and over at once.
RUN: Final = frozenset({"check", "reasons", "routes", "schema", "secret"})
LANGUAGES: Final = frozenset(
    {"", "console", "http", "ini", "javascript", "json", "makefile", "python", "text", "toml", "yaml"}
)
SECTIONS: Final = (
    frozenset(section.name for section in judge_sections({})) | set(LATER_SECTIONS) | {"version", "data_dir"}
)
FILLING: Final[Mapping[str, str]] = {
    "version": "version: 1",
    "gateway": "gateway: {listen: null, public_url: https://bkapi.example.com}",
    "authorization_servers": "authorization_servers: {corp: {kind: rfc7662, issuer: https://op.example.com,"
    " client_id: gateway, client_secret: {env: X}}}",
    "operator": "operator: {token: {env: X}}",
}


class AnySecret(Mapping[str, str]):
    """An environment in which every variable that a page names is set."""

    def __getitem__(self, name: str) -> str:
        return "a-secret-of-more-than-thirty-two-bytes-" + name

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_is_so(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conventions: docs are executed."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in split(page)[1]:
        assert block.language in LANGUAGES, f"{block}: nobody would run this; is it `console`?"
        if block.name:
            (tmp_path / block.name).write_text(block.text, encoding="utf-8")
        tell(block, names)


def tell(block: Block, names: dict[str, object]) -> None:
    """Run or validate one block."""
    match block.language:
        case "yaml":
            tell_yaml(block)
        case "json":
            json.loads(block.text)
        case "python":
            code = compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)  # noqa: S307 - our own pages
            if inspect.iscoroutine(result):
                asyncio.run(asyncio.wait_for(result, 30))
        case "console":
            for command, shown in commands(block.text):
                tell_command(block, command, shown)
        case _:
            pass


def tell_yaml(block: Block) -> None:
    """A whole configuration, a part of one, or other YAML."""
    keys = re.findall(r"^([a-z_]+):", block.text, re.MULTILINE)
    if not keys or not SECTIONS.issuperset(keys):
        YAML(typ="safe", pure=True).load(block.text)
        return
    filling = [] if "version" in keys else [line for key, line in FILLING.items() if key not in keys]
    assert problems("\n".join([*filling, block.text])) == [], block


def problems(written: str) -> list[str]:
    """What is wrong with a configuration, but for secret files that are not there."""
    sections = judge_sections({})
    try:
        load_bytes(written.encode(), sections, AnySecret(), origin=ROOT / "ostiary.yaml", later=LATER_SECTIONS)
    except ConfigurationError as error:
        return [str(each) for each in error.problems if each.failure_class != SecretFailure.FILE_MISSING]
    return []


def tell_command(block: Block, command: str, shown: str) -> None:
    """Run a command of ours, and compare."""
    words = shlex.split(command, comments=True)
    if words[:1] != ["ostiary"] or not (words[1:2] == ["--help"] or RUN.intersection(words[1:2])):
        return
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = run(words[1:], AnySecret())
    assert code == 0 or shown, f"{block}: {command} ended with {code}: {said.getvalue()}"
    if shown:
        pattern = re.escape(shown.strip()).replace("…", ".*")
        assert re.fullmatch(pattern, _trimmed(said.getvalue()), re.DOTALL), f"{block}: {command} said {said.getvalue()}"


def commands(text: str) -> tuple[tuple[str, str], ...]:
    """Each command of a `console` block with what is shown below it."""
    found: list[tuple[str, list[str]]] = []
    continued = False
    for line in text.splitlines():
        if line.startswith("$ ") or continued:
            command = line.removeprefix("$ ")
            if continued:
                command = found.pop()[0].removesuffix("\\") + command
            found.append((command, []))
            continued = command.endswith("\\")
        elif found:
            found[-1][1].append(line)
    return tuple((command, "\n".join(shown)) for command, shown in found)


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "version: 1\nroutes: [{nam: x}]\n"),
        ("yaml", "token_cache: {ttl: 5d}\n"),
        ("yaml", "a: 1\na: 2\n"),
        ("json", "{,}"),
        ("python", "raise ValueError\n"),
        ("python", "await __import__('asyncio').sleep(0)\nassert 1 == 2\n"),
        ("console", "$ ostiary reasons\nREASON is never this\n"),
        ("console", "$ ostiary check -c missing.yaml\n"),
    ],
)
def test_what_is_not_so_is_found(language: str, text: str) -> None:
    """Ours: the test above is itself tested."""
    block = Block(page=ROOT / "page.md", line=1, language=language, name="", text=text)
    with pytest.raises(Exception):  # noqa: B017, PT011 - each fails in its own way
        tell(block, {})


def test_what_is_so_passes() -> None:
    """Ours: the same."""
    secret = "$ ostiary secret \\\n    --help\nUsage: ostiary secret …\n"
    for language, text in (
        ("console", secret),
        ("console", "$ make demo\nanything\n"),
        ("yaml", "token_cache: {ttl: 5m}\n"),
    ):
        tell(Block(page=ROOT / "page.md", line=1, language=language, name="", text=text), {})
