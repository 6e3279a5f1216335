"""Plugins of others: found as installed distributions, refused with a sentence, run where a route names them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integrations.judging import GATE, SECRETS, file_of, route
from tests.samples import facts

from ostiary.config import Configuration, ConfigurationError, load_bytes
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.devserver import DevelopmentServer, serve
from ostiary.judge.loading import judge_sections, load_judge
from ostiary.judge.third_party import ThirdPartyError, find_third_party
from ostiary.plugins.chain import DEFAULT_CHAIN
from ostiary.plugins.drivers import StepOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostiary.judge.judge import Decision

# A distribution's module: one class, whose parts a test gives.
_MODULE = """\
from dataclasses import replace
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny

class Plugin:
    name = {name}
    priority = {priority}

    def run(self, exchange):
        {run}
"""
_NOTES = 'return exchange.with_note("seen by " + self.name)'


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Lays down a distribution where Python looks for them; it is gone afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    modules: list[str] = []

    def lay(
        name: str = "acme", *, priority: str = "17900", run: str = _NOTES, plugin: str = "", code: str = ""
    ) -> None:
        module = f"ostiary_test_{name}"
        modules.append(module)
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[ostiary.plugins]\n{name} = {module}:Plugin\n")
        text = code or _MODULE.format(name=plugin or repr(name), priority=priority, run=run)
        (tmp_path / f"{module}.py").write_text(text)

    yield lay
    for module in modules:
        sys.modules.pop(module, None)


def test_where_nothing_is_installed_there_is_nothing() -> None:
    """Ours: this environment has no plugin of others."""
    assert find_third_party() == {}


def test_what_is_installed_is_found_by_its_own_name(install: Callable[..., None]) -> None:
    """architecture.md: the entry-point group `ostiary.plugins`; the name of the entry point means nothing."""
    install("acme", plugin="'acme-geo'")
    install("beta", priority="17001")
    found = find_third_party()
    assert {name: plugin.priority for name, plugin in found.items()} == {"acme-geo": 17900, "beta": 17001}


_WHERE = "plugin ostiary_test_acme:Plugin"


@pytest.mark.parametrize(
    ("laid", "said"),
    [
        ({"code": "import nothing_of_this_name"}, f"{_WHERE} cannot be loaded: ModuleNotFoundError"),
        ({"code": "class Other: pass"}, f"{_WHERE} cannot be loaded: AttributeError"),
        ({"code": "raise RuntimeError('a-secret')"}, f"{_WHERE} cannot be loaded: RuntimeError"),
        ({"code": "class Plugin:\n    name = 'acme'"}, f"{_WHERE} cannot be loaded: AttributeError"),
        ({"code": "def Plugin(needed): pass"}, f"{_WHERE} cannot be loaded: TypeError"),
        ({"priority": "16999"}, "plugin acme: its priority is not from 17000 to 19000"),
        ({"priority": "19001"}, "plugin acme: its priority is not from 17000 to 19000"),
        ({"priority": "float('nan')"}, "plugin acme: its priority is not from 17000 to 19000"),
        ({"priority": "'17900'"}, f"{_WHERE} cannot be loaded: TypeError"),
        ({"priority": "18732"}, "plugin acme: its name or priority is taken by bk-oauth2-verify"),
        (
            {"plugin": "'bk-oauth2-verify'"},
            "plugin bk-oauth2-verify: its name or priority is taken by bk-oauth2-verify",
        ),
    ],
)
def test_one_that_cannot_be_used_is_refused_with_a_sentence(
    install: Callable[..., None], laid: dict[str, str], said: str
) -> None:
    """gateway.md, the chain: any free priority from 17000 to 19000; conventions 11: no word of its exception."""
    install(**laid)
    with pytest.raises(ThirdPartyError) as refused:
        find_third_party()
    assert str(refused.value) == said


@pytest.mark.parametrize("second", [{"plugin": "'acme'", "priority": "17800"}, {"priority": "17900"}])
def test_two_of_one_name_or_one_priority_are_refused(install: Callable[..., None], second: dict[str, str]) -> None:
    """Ours: which of them ran first would depend on the order of folders."""
    install()
    install("beta", **second)
    with pytest.raises(ThirdPartyError, match="its name or priority is taken by"):
        find_third_party()


@pytest.fixture(scope="module")
def authority() -> Iterator[DevelopmentServer]:
    server = DevelopmentServer([GATE])
    with serve(server):
        yield server


@dataclass(frozen=True)
class House:
    """A route that names what is installed, and one that does not."""

    authority: DevelopmentServer

    async def decide(self, path: str = "/with", audience: str = "gateway:my-gateway/api:my-api") -> Decision:
        third_party = find_third_party()
        token = self.authority.mint(client_id="reader", audience=[audience])
        routes = [route("with", "/with", plugins=[*DEFAULT_CHAIN, *third_party]), route("without", "/without")]
        data = file_of(self.authority.issuer, list(routes))
        configuration = _read(data)
        judge = load_judge(configuration, third_party=third_party, allow_development_issuer=True)
        try:
            return await judge.decide(facts(path, ((b"authorization", b"Bearer " + token.encode()),)))
        finally:
            await judge.aclose()


def _read(data: bytes) -> Configuration:
    return load_bytes(data, judge_sections(find_third_party()), SECRETS, origin=Path("/nowhere/ostiary.yaml"))


@pytest.fixture
def house(authority: DevelopmentServer) -> House:
    return House(authority)


@pytest.mark.anyio
async def test_its_notes_stand_in_the_record_at_its_place_in_the_chain(
    install: Callable[..., None], house: House
) -> None:
    """architecture.md: listed explicitly, `run(exchange)`; gateway.md: higher runs first."""
    install(priority="18736")
    decision = await house.decide()
    assert decision.record is not None
    assert decision.verdict.label is VerdictLabel.ALLOW
    shown = [(step.plugin, step.outcome, step.note) for step in decision.record.steps[:3]]
    assert shown[1] == ("acme", StepOutcome.PASSED, "seen by acme")
    assert [shown[0][0], shown[2][0]] == ["bk-oauth2-protected-resource", "bk-oauth2-verify"]


@pytest.mark.anyio
async def test_where_a_route_does_not_name_it_it_does_not_run(install: Callable[..., None], house: House) -> None:
    """architecture.md: found by entry point, run where the configuration lists it."""
    install(run='raise RuntimeError("it ran")')
    decision = await house.decide("/without")
    assert decision.record is not None
    assert (decision.record.verdict, decision.record.reason) == (VerdictLabel.ALLOW, None)
    assert "acme" not in [step.plugin for step in decision.record.steps]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("run", "reason", "note"),
    [
        ('return Deny(Reason.SCOPE_MISSING, note="not on Sundays")', Reason.SCOPE_MISSING, "not on Sundays"),
        ('raise ValueError("a-secret")', Reason.PLUGIN_FAILED, "ValueError"),
        ("return None", Reason.PLUGIN_FAILED, "BrokenTermsError"),
        ("return exchange._replace(bk_app_code='root')", Reason.PLUGIN_FAILED, "BrokenTermsError"),
        ("return self.run(exchange)", Reason.PLUGIN_FAILED, "RecursionError"),
    ],
)
async def test_what_it_denies_and_what_it_breaks_is_refused_and_recorded(
    install: Callable[..., None], house: House, run: str, reason: Reason, note: str
) -> None:
    """gateway.md, the chain: it may deny or note; its exception is 503."""
    install(run=run)
    decision = await house.decide()
    assert decision.refusal is not None
    assert decision.record is not None
    status = 403 if reason is Reason.SCOPE_MISSING else 503
    assert (decision.refusal.status, decision.refusal.reason) == (status, reason)
    assert (decision.record.reason, decision.record.status) == (reason, status)
    assert (decision.record.steps[-1].plugin, decision.record.steps[-1].note) == ("acme", note)
    assert "a-secret" not in repr(decision)


@pytest.mark.anyio
async def test_a_refusal_stays_one_whatever_runs_behind_it(install: Callable[..., None], house: House) -> None:
    """gateway.md, the chain: never turn a Deny into Allow."""
    install(priority="17001")
    decision = await house.decide(audience="gateway:my-gateway/api:another")
    assert decision.record is not None
    assert decision.record.reason is Reason.AUDIENCE_GATEWAY_MISMATCH
    assert "acme" not in [step.plugin for step in decision.record.steps]


def test_a_route_that_names_what_is_not_installed_is_refused(authority: DevelopmentServer) -> None:
    """configuration.md: `plugins` naming what does not exist."""
    data = file_of(authority.issuer, [route("with", "/with", plugins=[*DEFAULT_CHAIN, "acme"])])
    with pytest.raises(ConfigurationError, match=r"names no plugin"):
        _read(data)
