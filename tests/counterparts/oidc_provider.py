"""`oidc-provider`, a certified authorization server that others wrote, in a Node process."""

from __future__ import annotations

import json
import select
import shutil
import string
import subprocess
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2
import pytest
from tests.counterparts.judging import judge_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.judge.judge import Judge

HERE: Final = Path(__file__).parent
API: Final = "gateway:my-gateway/api:my-api"

# All that RFC 6749 appendix A allows; form-encoding (§2.3.1) changes most of it. Behind it, what is an escape, an
# escaped escape and none at all to whoever decodes once more or once less.
AWKWARD: Final = string.digits + string.ascii_letters + string.punctuation + " %41%2B%2525+%zz%"
READER: Final = {"client_id": "reader", "client_secret": "reader " + AWKWARD, "scope": "files.read"}
GATE: Final = {"client_id": "gate " + AWKWARD, "client_secret": "sesame " + AWKWARD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The running server, and what a person got from it.

    Attributes:
        issuer: one that the server itself serves.
        site: the origin of other issuers, which stand behind a site of pages for people; `exceptions` in provider.mjs
            has what each of them answers where its metadata are looked for.
    """

    issuer: str
    site: str
    user_token: str
    refresh_token: str

    def mint(self, *, resource: str = API) -> str:
        """A new opaque token of client credentials, for one resource indicator (RFC 8707 §2)."""
        form = {"grant_type": "client_credentials", "scope": "files.read", "resource": resource}
        answer = self._post("/token", form | _credentials(READER))
        token = answer.json()["access_token"]
        assert isinstance(token, str)
        return token

    def revoke(self, token: str) -> None:
        """RFC 7009."""
        self._post("/token/revocation", {"token": token} | _credentials(READER))

    def _post(self, path: str, form: dict[str, str]) -> httpx2.Response:
        with httpx2.Client(base_url=self.issuer, trust_env=False, timeout=10) as client:
            return client.post(path, data=form).raise_for_status()


@contextmanager
def running() -> Iterator[Provider]:
    """The server while the block runs; it ends with its standard input."""
    # Another language's server is not among what this project needs; .ci/run has it, so there nothing is skipped.
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node on this machine")
    if not (HERE / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("oidc-provider is not installed: `npm ci` in tests/counterparts")
    process = subprocess.Popen(  # noqa: S603 - our own script
        [node, "--no-warnings", "provider.mjs"],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps([READER, GATE]) + "\n")
        process.stdin.flush()
        readable, _, _ = select.select([process.stdout], [], [], 30)
        line = process.stdout.readline() if readable else ""
        assert line, "oidc-provider did not start; `node provider.mjs` in tests/counterparts shows why"
        yield Provider(**json.loads(line))
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()


def judging(provider: Provider, **server: object) -> AbstractAsyncContextManager[Judge]:
    """A judge that asks it as `GATE`; `server` replaces keys of the authorization server."""
    settings: dict[str, object] = {
        "kind": "rfc7662",
        "issuer": provider.issuer,
        "client_id": GATE["client_id"],
        "client_secret": {"env": "SECRET"},
        **server,
    }
    return judge_of(settings, {"SECRET": GATE["client_secret"], "WRONG": "not " + GATE["client_secret"]})


def _credentials(client: dict[str, str]) -> dict[str, str]:
    return {name: client[name] for name in ("client_id", "client_secret")}
