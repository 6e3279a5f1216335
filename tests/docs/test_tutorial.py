"""The tutorial as a reader walks it: its files, its commands, its answers; on free ports."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from tests.cli.serving import start, wait_said, wait_serving
from tests.docs.markdown import ROOT, split
from tests.e2e.running import free_ports, request

from ostiary.cli import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pytest

_BLOCKS: Final = {block.name or block.line: block.text for block in split(ROOT / "docs" / "tutorial.md")[1]}
_PROSE: Final = split(ROOT / "docs" / "tutorial.md")[0]
_TOKEN: Final = (("Authorization", b"Bearer opensesame"),)
_PATH: Final = "/my-gateway/prod/billing/"
# What the table of step 6 has the reader change in the file, and what comes of it.
_CHANGES: Final = (
    ("gateway: my-gateway", "gateway: your-gateway", "audience-gateway-mismatch"),
    ("    resource: billing", "    resource: billing\n    scopes: [billing.read]", "scope-missing"),
)


def test_every_step_of_the_tutorial_comes_to_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 8: a tutorial, executed."""
    monkeypatch.chdir(tmp_path)
    files, authority = _settle(tmp_path)
    port = re.search(r"listen: 127\.0\.0\.1:(\d+)", (tmp_path / "ostiary.yaml").read_text())
    assert port is not None
    for name in ("operator-token", "introspection-secret"):
        assert run(["secret", "new", name], {}) == 0
    with ExitStack() as stack:
        stack.enter_context(_running(files))
        asked = stack.enter_context(_running(authority))
        gateway = stack.enter_context(_serving(tmp_path / "ostiary.yaml"))

        refused = request(int(port[1]), "GET", _PATH)
        assert refused.status == 401
        shown = f"x-bkapi-error-message: {refused.header('x-bkapi-error-message')}"
        assert any(shown in text for text in _BLOCKS.values())
        capsys.readouterr()
        assert run(["explain", refused.reference, "-c", "ostiary.yaml"], {}) == 0
        assert capsys.readouterr().out.startswith("deny 401 credentials-missing\n")

        admitted = request(int(port[1]), "GET", _PATH, _TOKEN)
        assert (admitted.status, admitted.body) == (200, b"your invoices\n")
        (tmp_path / "token.txt").write_text("Authorization: Bearer opensesame\n", encoding="ascii")
        assert run(["decide", "-c", "ostiary.yaml", "--path", _PATH, "--header", "@token.txt"], {}) == 0

        good = (tmp_path / "ostiary.yaml").read_text(encoding="utf-8")
        for old, new, reason in _CHANGES:
            assert f"`{reason}`" in _PROSE
            _save(tmp_path, good.replace(old, new), gateway, '"reloaded"')
            reply = request(int(port[1]), "GET", _PATH, _TOKEN)
            capsys.readouterr()
            assert run(["explain", reply.reference, "-c", "ostiary.yaml"], {}) == 0
            assert capsys.readouterr().out.startswith(f"deny 403 {reason}\n")
        _save(tmp_path, good.replace("upstream:", "upstrem:"), gateway, "nothing has changed")
        _save(tmp_path, good, gateway, '"reloaded"')

        _end(asked)
        assert request(int(port[1]), "GET", _PATH, (("Authorization", b"Bearer another"),)).status == 503
        assert request(int(port[1]), "GET", _PATH, _TOKEN).status == 200


def _settle(folder: Path) -> tuple[list[str], list[str]]:
    """The page's files, on free ports; the commands of the API and of the authority."""
    ports = dict(zip(("8080", "9180", "9001", "9002"), map(str, (*free_ports(), *free_ports())), strict=True))
    for name in ("ostiary.yaml", "authority.py"):
        text = re.sub(r"\b(8080|9001|9002)\b", lambda found: ports[found[0]], _BLOCKS[name])
        text = text.replace("operator:\n", f"operator:\n  listen: 127.0.0.1:{ports['9180']}\n")
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "files").mkdir()
    (folder / "files" / "index.html").write_text("your invoices\n", encoding="ascii")
    served = ["-m", "http.server", ports["9001"], "--bind", "127.0.0.1", "--directory", "files"]
    return [sys.executable, *served], [sys.executable, "authority.py"]


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the page's
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def _serving(file: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(file, {})
    try:
        wait_serving(process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0


def _save(folder: Path, text: str, gateway: subprocess.Popen[str], words: str) -> None:
    """Save the file as an editor does, and wait until that is noticed."""
    (folder / "ostiary.yaml").write_text(text, encoding="utf-8")
    wait_said(gateway, words)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)
