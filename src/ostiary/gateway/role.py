"""The role `gateway` as a whole: the data plane, the writer of decision records, and what operators may ask of both."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx2
import structlog

from ostiary.diagnostics.exposition import merge
from ostiary.diagnostics.metrics import Metrics
from ostiary.diagnostics.settings import OPERATOR
from ostiary.diagnostics.surface import OperatorSurface
from ostiary.gateway import files
from ostiary.gateway.faults import StartFault
from ostiary.gateway.listener import listening, served
from ostiary.gateway.plan import Certificate, Plan
from ostiary.gateway.records import Records
from ostiary.gateway.supervisor import LOCK_NAME, Gateway, NotReloaded, Reloaded
from ostiary.judge.gateway_settings import GATEWAY
from ostiary.judge.route_rules import build_routes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from ostiary.config import Configuration
    from ostiary.gateway.edge import EdgeLine
    from ostiary.plugins.plugin import Plugin

_SCRAPE_SECONDS: Final = 2.0
_OURS: Final = "supervisor"

_log = structlog.get_logger(__name__)


def plan_of(configuration: Configuration, third_party: Mapping[str, Plugin]) -> Plan:
    """What a valid configuration asks of the data plane.

    Raises:
        StartFault: `gateway.listen` is null: there is no such role.
    """
    gateway = configuration.require(GATEWAY)
    if gateway.listen is None:
        raise StartFault("gateway.listen is null: nothing is served; another door or the kit judges")
    binary = gateway.envoy.binary
    tls = gateway.tls
    return Plan(
        listen=(gateway.listen.host, gateway.listen.port),
        data_dir=configuration.data_dir,
        routes=build_routes(configuration, third_party),
        workers=os.cpu_count() or 1 if gateway.workers == "auto" else gateway.workers,
        concurrency=gateway.envoy.concurrency,
        decision_timeout_seconds=gateway.decision_timeout,
        header_bytes=gateway.limits.header_bytes,
        scheme=gateway.public_url.partition("://")[0],
        binary=None if binary == "auto" else configuration.resolve_path(binary),
        certificate=None
        if tls is None
        else Certificate(
            chain=configuration.resolve_path(tls.certificate), key=configuration.resolve_path(tls.key.file)
        ),
        trusted_proxies=gateway.trusted_proxies,
    )


class GatewayRole:
    """Everything that `ostiary serve` runs for the role, while the block runs.

    Args:
        configuration: valid, with `gateway.listen`.
        data: the bytes it was read from.
        third_party: the installed plugins.
        worker_command: a decision worker's command line.

    Raises:
        StartFault: on entering; everything that was started has been ended again.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        data: bytes,
        third_party: Mapping[str, Plugin],
        worker_command: Sequence[str],
    ) -> None:
        self._configuration = configuration
        self._metrics = Metrics()
        self._records: Records | None = None
        self._surface = OperatorSurface(
            listen=configuration.require(OPERATOR).listen,
            tokens=[configuration.secret("operator", "token")],
            is_ready=self._is_ready,
            metrics=self._exposition,
        )
        self._plan = plan_of(configuration, third_party)
        self._gateway = Gateway(
            self._plan,
            worker_command=worker_command,
            configuration=data,
            origin=configuration.path,
            on_edge_line=self._record,
            log=_say,
        )
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where the public listener is."""
        return self._gateway.url

    @property
    def gateway(self) -> Gateway:
        """The data plane alone."""
        return self._gateway

    async def reload(
        self, configuration: Configuration, data: bytes, third_party: Mapping[str, Plugin]
    ) -> Reloaded | NotReloaded:
        """Put another valid configuration in force, or change nothing and say why."""
        try:
            plan = plan_of(configuration, third_party)
        except StartFault as fault:
            return self.refuse(str(fault))
        outcome = await self._gateway.reload(data, plan)
        if isinstance(outcome, NotReloaded):
            return self.refuse(outcome.errors)
        self._metrics.reloaded("loaded")
        return replace(outcome, notes=(*outcome.notes, *await self._adopt(configuration)))

    def refuse(self, errors: str) -> NotReloaded:
        """Count a reload that did not come about, and say why."""
        self._metrics.reloaded("refused")
        return NotReloaded(errors=errors)

    async def __aenter__(self) -> Self:
        configuration = self._configuration
        async with AsyncExitStack() as stack:
            files.claim(configuration.data_dir, LOCK_NAME)
            with files.held(configuration.data_dir / LOCK_NAME):
                pass  # the gateway takes it; here, so that a second start hears of the first and not of its port
            listener = stack.enter_context(listening(configuration.require(OPERATOR).listen))
            self._records = Records(configuration, self._metrics, self._gateway.recall)
            stack.push_async_callback(self._records.aclose)
            await stack.enter_async_context(self._gateway)
            await stack.enter_async_context(served(self._surface, listener))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _record(self, line: EdgeLine) -> None:
        if self._records is not None:
            self._records.edge(line)

    async def _is_ready(self) -> bool:
        return await self._gateway.ready()

    async def _adopt(self, configuration: Configuration) -> tuple[str, ...]:
        """What the supervisor itself reads anew, and a sentence for each key that needs a restart."""
        self._surface.accept([configuration.secret("operator", "token")])
        notes = () if self._records is None else await self._records.adopt(configuration)
        moved = configuration.require(OPERATOR).listen != self._configuration.require(OPERATOR).listen
        return (*notes, "operator.listen changed: it needs a restart") if moved else notes

    async def _exposition(self) -> bytes:
        """The pages of the workers that answer, and ours."""
        pages = await asyncio.gather(*(_scrape(path) for path in self._plan.decision_sockets))
        found: dict[int | str, bytes] = {_OURS: self._metrics.exposition()}
        found |= {index: page for index, page in enumerate(pages) if page is not None}
        return merge(found)


def _say(level: str, event: str, /, **fields: object) -> None:
    """The room's own log, in structlog's words."""
    {"debug": _log.debug, "info": _log.info, "warning": _log.warning, "error": _log.error}[level](event, **fields)


async def _scrape(path: Path) -> bytes | None:
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    async with httpx2.AsyncClient(transport=transport, timeout=_SCRAPE_SECONDS) as client:
        try:
            answer = await client.get("http://worker/metrics")
        except httpx2.HTTPError:
            return None
    return answer.content if answer.is_success else None
