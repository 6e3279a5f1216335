"""Which plugins ship, in which order, and which chains let no stranger through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.decision.routes import RouteProtocol
from ostiary.plugins.audience_validate import AudienceValidate
from ostiary.plugins.auth_validate import AuthValidate
from ostiary.plugins.drivers import Chain, CredentialedLink, Link
from ostiary.plugins.oauth2_verify import OAuth2Verify
from ostiary.plugins.plugin import TERMS, THIRD_PARTY
from ostiary.plugins.protected_resource import ProtectedResource
from ostiary.plugins.scope_validate import ScopeValidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostiary.plugins.plugin import CredentialedPlugin, Plugin

DETECTION: Final = ProtectedResource.name
VERIFY: Final = OAuth2Verify.name
VALIDATE: Final = AuthValidate.name
AUDIENCE: Final = AudienceValidate.name
SCOPE: Final = ScopeValidate.name
LEGACY_VERIFY: Final = "bk-auth-verify"

_LINKS: Final[Chain] = (
    Link(ProtectedResource(), TERMS[DETECTION]),
    CredentialedLink(OAuth2Verify(), TERMS[VERIFY]),
    Link(AuthValidate(), TERMS[VALIDATE]),
    Link(AudienceValidate(), TERMS[AUDIENCE]),
    Link(ScopeValidate(), TERMS[SCOPE]),
)

SHIPPED: Final[Mapping[str, Link | CredentialedLink]] = {link.plugin.name: link for link in _LINKS}


def in_order(plugins: Iterable[Plugin | CredentialedPlugin]) -> tuple[str, ...]:
    """Names, highest priority first: the order of a chain never depends on how it was written down."""
    return tuple(plugin.name for plugin in sorted(plugins, key=lambda plugin: (-plugin.priority, plugin.name)))


DEFAULT_CHAIN: Final = in_order(link.plugin for link in _LINKS)


def link_chain(names: Iterable[str], third_party: Mapping[str, Plugin]) -> Chain:
    """The chain of a route.

    Args:
        names: in any order; each ships or is a key of `third_party`.
        third_party: the plugins found through the entry point group `ostiary.plugins`.

    Raises:
        KeyError: a name that is neither; settings are checked, so this is a broken invariant.
    """
    links = [SHIPPED[name] if name in SHIPPED else Link(third_party[name], THIRD_PARTY) for name in names]
    return tuple(sorted(links, key=lambda link: (-link.plugin.priority, link.plugin.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFault:
    """Why a chain is refused at configuration time."""

    what: str
    hint: str


def judge_chain(names: Iterable[str], *, app_required: bool, user_required: bool, scopes: bool) -> list[ChainFault]:
    """Walk a chain for both values of `is_bk_oauth2`; no fault: neither lets a stranger through.

    Args:
        names: the route's plugins.
        app_required, user_required: its `auth`.
        scopes: whether it names scopes.
    """
    chain = frozenset(names)
    detects = DETECTION in chain
    demands = app_required or user_required
    legacy = {LEGACY_VERIFY, VALIDATE} <= chain and demands
    rows = (
        (
            detects and not {VERIFY, AUDIENCE} <= chain,
            f"the chain detects bearer tokens but lacks {_missing((VERIFY, AUDIENCE), chain)}",
            "a token that nobody verifies and no audience judges lets every stranger through; add them",
        ),
        (
            detects and VALIDATE not in chain,
            f"the chain lacks {VALIDATE}",
            "without it `auth` demands nothing; add it",
        ),
        (
            not detects and bool({VERIFY, AUDIENCE, SCOPE} & chain),
            f"the chain has {_present((VERIFY, AUDIENCE, SCOPE), chain)} without {DETECTION}",
            "they run only on what it detects, so they would never run; add it",
        ),
        (
            not detects and not legacy,
            "the chain lets every stranger through: nobody is detected and nobody is demanded",
            "leave `plugins` out for the default chain, or say `unsafe_anonymous: true` if that is meant",
        ),
        (
            detects and scopes and SCOPE not in chain,
            f"the route names scopes but its chain lacks {SCOPE}",
            "nobody would judge them; add it or remove `scopes`",
        ),
    )
    return [ChainFault(what=what, hint=hint) for applies, what, hint in rows if applies]


def accepts_legacy(names: Iterable[str], *, app_required: bool, user_required: bool, protocol: RouteProtocol) -> bool:
    """Whether legacy credentials are judged on a route; where not, detection itself ends the request.

    MCP wants a token on every request, so they never are there.
    """
    complete = {LEGACY_VERIFY, VALIDATE} <= frozenset(names) and (app_required or user_required)
    return complete and protocol is not RouteProtocol.MCP


def _missing(wanted: tuple[str, ...], chain: frozenset[str]) -> str:
    return " and ".join(name for name in wanted if name not in chain)


def _present(wanted: tuple[str, ...], chain: frozenset[str]) -> str:
    return " and ".join(name for name in wanted if name in chain)
