"""What a plugin is, and what each that ships may do: one row a plugin."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from ostiary.decision.verdict import Deny
from ostiary.plugins.exchange import Exchange
from ostiary.plugins.questions import Fact, Introspect, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.credentials import Credentials

Outcome = Exchange | Deny
Asking = Generator[Question, Fact, Outcome]

LOWEST_PRIORITY: Final = 17_000
HIGHEST_PRIORITY: Final = 19_000


class Plugin(Protocol):
    """A step of the chain. It returns the exchange, enriched or as it was, or a `Deny`.

    A plugin that needs to know something is a generator and asks: `fact = yield from Introspect(…).ask()`.
    """

    @property
    def name(self) -> str:
        """As it stands in a route's `plugins`."""
        ...

    @property
    def priority(self) -> int:
        """17000 to 19000; higher runs first."""
        ...

    def run(self, exchange: Exchange) -> Outcome | Asking:
        """Take the step."""
        ...


class CredentialedPlugin(Protocol):
    """A step that is handed the credentials: only those that verify them. The chain's link says which those are."""

    @property
    def name(self) -> str:
        """As it stands in a route's `plugins`."""
        ...

    @property
    def priority(self) -> int:
        """17000 to 19000; higher runs first."""
        ...

    def run(self, exchange: Exchange, credentials: Credentials) -> Outcome | Asking:
        """Take the step."""
        ...


class Runs(StrEnum):
    """When a step is taken; the driver skips it otherwise."""

    ALWAYS = "always"
    OAUTH2 = "is_bk_oauth2 is True"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a plugin runs.

    Attributes:
        runs: when.
        questions: what it may ask; any other question is a broken invariant.
        judges: whether what it returns is believed about route, identity and grant. Of any other plugin only `notes`
            are: it may deny, never turn a refusal into a grant.
    """

    runs: Runs = Runs.ALWAYS
    questions: tuple[type[Question], ...] = ()
    judges: bool = False


THIRD_PARTY: Final = Terms()

TERMS: Final[Mapping[str, Terms]] = {
    "bk-oauth2-protected-resource": Terms(judges=True),
    "bk-oauth2-verify": Terms(runs=Runs.OAUTH2, questions=(Introspect,), judges=True),
    "bk-auth-validate": Terms(judges=True),
    "bk-oauth2-audience-validate": Terms(runs=Runs.OAUTH2, judges=True),
    "bk-oauth2-scope-validate": Terms(runs=Runs.OAUTH2, judges=True),
}
