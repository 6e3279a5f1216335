"""What the tour walks through: authorization server, upstreams, MCP server, gateway; all real, all on loopback."""

from __future__ import annotations

import secrets
import socket
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostiary.config import Configuration, load_bytes
from ostiary.demo.configuration import CLIENT_ID, INTROSPECTION_SECRET, OPERATOR_TOKEN, configuration_text
from ostiary.demo.upstreams import echo_api, mcp_server
from ostiary.demo.visit import Fate, Incident, Token
from ostiary.devserver import Client, DevelopmentServer
from ostiary.gateway.role import GatewayRole
from ostiary.judge.loading import LATER_SECTIONS, judge_sections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ostiary.devserver import Listener

_WORKER: Final = (sys.executable, "-P", "-m", "ostiary.demo.worker")
_FILE: Final = "ostiary.yaml"
_CLIENTS: Final = ("reader", "writer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything, up and running.

    Attributes:
        origin: of the gateway.
        path: the configuration file.
    """

    origin: str
    issuer: str
    path: Path
    configuration: Configuration
    authority: DevelopmentServer
    _minted: dict[Token, str] = field(default_factory=dict)

    def mint(self, token: Token) -> str:
        """The token's text; equal tokens are one."""
        text = self._minted.get(token)
        if text is None:
            text = self._minted[token] = self._new(token)
        return text

    def happen(self, incident: Incident) -> None:
        """Take the authorization server down, or bring it back: its listener, not a switch in it."""
        if incident is Incident.STOPS:
            self.authority.stop()
        else:
            self.authority.start()

    def _new(self, token: Token) -> str:
        if token.fate is Fate.UNKNOWN:
            return secrets.token_urlsafe(32)
        claimed = token.claimed_seconds
        text = self.authority.mint(
            client_id=token.client,
            subject=token.subject,
            audience=tuple(entry.replace("{origin}", self.origin) for entry in token.audience),
            scopes=token.scopes,
            lifetime_seconds=token.lifetime_seconds,
            claims_override=None if claimed is None else {"exp": int(time.time()) + claimed},
        )
        if token.fate is Fate.REVOKED:
            self.authority.revoke(text)
        return text


@asynccontextmanager
async def stage(*, workers: int = 1) -> AsyncIterator[Stage]:
    """Start everything; end everything.

    Raises:
        StartFault: the gateway did not start.
    """
    secret = secrets.token_urlsafe(32)
    clients = [
        Client(client_id=CLIENT_ID, secret=secret),
        *(Client(client_id=name, secret=secret) for name in _CLIENTS),
    ]
    async with AsyncExitStack() as stack:
        # A short path: a socket's may have 107 bytes.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-", ignore_cleanup_errors=True)))
        authority = stack.enter_context(closing(DevelopmentServer(clients)))
        issuer = authority.start()
        orders, stock, mcp = [stack.enter_context(_running(each)) for each in _upstreams()]
        listen, operator = _free_addresses()
        path = folder / _FILE
        for name, text in ((INTROSPECTION_SECRET, secret), (OPERATOR_TOKEN, secrets.token_urlsafe(32))):
            _write_private(folder / name, text)
        data = configuration_text(
            path=str(path),
            listen=listen,
            operator=operator,
            issuer=issuer,
            orders=orders,
            stock=stock,
            mcp=mcp,
            workers=workers,
        ).encode()
        path.write_bytes(data)
        configuration = load_bytes(data, judge_sections({}), {}, origin=path, later=LATER_SECTIONS)
        role = GatewayRole(configuration, data=data, third_party={}, worker_command=_WORKER)
        await stack.enter_async_context(role)
        yield Stage(origin=role.url, issuer=issuer, path=path, configuration=configuration, authority=authority)


def _upstreams() -> tuple[Listener, Listener, Listener]:
    return echo_api("orders"), echo_api("stock"), mcp_server()


@contextmanager
def _running(listener: Listener) -> Iterator[str]:
    with closing(listener):
        yield listener.start()


def _free_addresses() -> tuple[str, str]:
    """Two addresses that nobody listens on; both are held until both are known, so that they differ."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}", f"127.0.0.1:{other.getsockname()[1]}"


def _write_private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text + "\n", encoding="ascii")
