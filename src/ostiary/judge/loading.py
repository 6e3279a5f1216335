"""A valid configuration becomes a judge: everything is bound here, once per generation."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from ostiary.authorities import AUTHORIZATION_SERVERS, TOKEN_CACHE, Authorities, Clocks, NullObserver, TokenCache
from ostiary.config import load
from ostiary.diagnostics.settings import DECISION_LOG, OPERATOR
from ostiary.judge.gateway_settings import GATEWAY
from ostiary.judge.judge import Judge
from ostiary.judge.route_rules import build_routes, routes_section
from ostiary.judge.routing import RouteTable
from ostiary.judge.third_party import find_third_party

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ostiary.authorities import Observer
    from ostiary.config import AnySection, Configuration
    from ostiary.plugins.plugin import Plugin

# What the contract's file may hold and this version does not build: refused by name, never ignored.
LATER_SECTIONS: Final = ("app_registry", "login", "identity", "authz", "drive", "jobs")

_NOBODY: Final = NullObserver()
SYSTEM_CLOCKS: Final[Clocks] = Clocks(wall=time.time, monotonic=time.monotonic)


def judge_sections(third_party: Mapping[str, Plugin]) -> tuple[AnySection, ...]:
    """The sections of the file that judging reads, and those that operators' surfaces read."""
    return (GATEWAY, OPERATOR, AUTHORIZATION_SERVERS, TOKEN_CACHE, DECISION_LOG, routes_section(third_party))


def new_cache(configuration: Configuration, clocks: Clocks = SYSTEM_CLOCKS) -> TokenCache:
    """A token cache for this process, under a key that no other process has; it outlives reloads."""
    max_bytes = configuration.require(TOKEN_CACHE).max_bytes
    return TokenCache(key=secrets.token_bytes(32), max_bytes=max_bytes, clocks=clocks)


def load_file(path: Path, environ: Mapping[str, str]) -> Judge:
    """See `Judge.from_config`."""
    third_party = find_third_party()
    configuration = load(path, judge_sections(third_party), environ, later=LATER_SECTIONS)
    return load_judge(configuration, third_party=third_party)


def load_judge(
    configuration: Configuration,
    *,
    third_party: Mapping[str, Plugin],
    cache: TokenCache | None = None,
    observer: Observer = _NOBODY,
    clocks: Clocks = SYSTEM_CLOCKS,
    allow_development_issuer: bool = False,
) -> Judge:
    """Bind a judge; nobody is asked yet.

    Args:
        configuration: valid, with the sections of `judge_sections`.
        third_party: the installed plugins.
        cache: of this process; None: one of its own.
        observer: who counts.
        clocks: both.
        allow_development_issuer: whether the embedded authorization server is believed; passed in code alone.
    """
    authorities = Authorities.open(
        configuration,
        cache=new_cache(configuration, clocks) if cache is None else cache,
        clocks=clocks,
        observer=observer,
        allow_development_issuer=allow_development_issuer,
    )
    return Judge(
        table=RouteTable(build_routes(configuration, third_party)),
        asked=authorities,
        clocks=clocks,
        decision_timeout_seconds=configuration.require(GATEWAY).decision_timeout,
        third_party=third_party,
    )
