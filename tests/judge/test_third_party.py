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


def test_what_is_installed_is_found_by_the_name_of_its_entry_point(install: Callable[..., None]) -> None:
    """architecture.md: the entry-point group `ostiary.plugins`."""
    install("acme")
    install("beta", priority="17001")
    found = find_third_party()
    assert {name: plugin.priority for name, plugin in found.items()} == {"acme": 17900, "beta": 17001}
    assert found["acme"] is found["acme"]


def test_what_nobody_asks_for_is_not_even_loaded(install: Callable[..., None]) -> None:
    """architecture.md: listed explicitly; the code of others runs nowhere else."""
    install(code="raise SystemExit(7)")
    found = find_third_party()
    assert (list(found), len(found), "acme" in found, "other" in found) == (["acme"], 1, True, False)
    assert "ostiary_test_acme" not in sys.modules
    with pytest.raises(KeyError):
        found["other"]


_RANGE = "has a priority that is no whole number from 17000 to 19000"
_FALSE_NAME = "has an entry point of another name"


@pytest.mark.parametrize(
    ("laid", "said"),
    [
        ({"code": "import nothing_of_this_name"}, "cannot be loaded: ModuleNotFoundError"),
        ({"code": "class Other: pass"}, "cannot be loaded: AttributeError"),
        ({"code": "raise RuntimeError('a-secret')"}, "cannot be loaded: RuntimeError"),
        ({"code": "raise SystemExit('a-secret')"}, "cannot be loaded: SystemExit"),
        ({"code": "class Plugin:\n    name = 'acme'"}, "cannot be loaded: AttributeError"),
        ({"code": "class Plugin:\n    name, priority = 'acme', 17900"}, "cannot be loaded: AttributeError"),
        (
            {"code": "class Plugin:\n    name, priority, run = 'acme', 17900, 1"},
            "cannot be run: it has no `run(exchange)`",
        ),
        ({"code": "def Plugin(needed): pass"}, "cannot be loaded: TypeError"),
        ({"priority": "16999"}, _RANGE),
        ({"priority": "19001"}, _RANGE),
        ({"priority": "float('nan')"}, _RANGE),
        ({"priority": "17900.5"}, _RANGE),
        ({"priority": "'17900'"}, _RANGE),
        ({"priority": "None"}, _RANGE),
        ({"plugin": "None"}, _FALSE_NAME),
        ({"plugin": "'acme-geo'"}, _FALSE_NAME),
        ({"plugin": "'bk-oauth2-verify'"}, _FALSE_NAME),
    ],
)
def test_one_that_cannot_be_used_is_refused_where_a_route_names_it(
    install: Callable[..., None], laid: dict[str, str], said: str
) -> None:
    """gateway.md, the chain: any free priority from 17000 to 19000; conventions 11: no word of its exception."""
    install(**laid)
    with pytest.raises(ThirdPartyError) as refused:
        find_third_party()["acme"]
    assert str(refused.value) == said
    assert _problems("acme") == [("routes[0].plugins[5]", f"`routes[0].plugins[5]` names a plugin that {said}")]
    assert _problems() == []


def test_one_with_the_name_of_one_that_ships_is_never_asked_for(install: Callable[..., None]) -> None:
    """Ours: what verifies a token is not replaced by installing something."""
    install("bk-oauth2-verify")
    assert list(find_third_party()) == []


def test_one_name_in_two_distributions_is_refused(install: Callable[..., None], tmp_path: Path) -> None:
    """Ours: which of them ran would depend on the order of folders."""
    install()
    folder = tmp_path / "another-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[ostiary.plugins]\nacme = ostiary_test_acme:Plugin\n")
    with pytest.raises(ThirdPartyError, match="is in 2 installed distributions"):
        find_third_party()["acme"]


def test_two_of_one_priority_are_refused_in_one_route(install: Callable[..., None]) -> None:
    """Ours: which of them ran first would be nobody's decision."""
    install()
    install("beta")
    install("verifier", priority="18732")
    what = "names a plugin whose priority another one of the route has"
    assert _problems("acme", "beta") == [("routes[0].plugins[6]", f"`routes[0].plugins[6]` {what}")]
    assert _problems("verifier") == [("routes[0].plugins[5]", f"`routes[0].plugins[5]` {what}")]
    assert _problems("beta") == []


def _problems(*names: str) -> list[tuple[str, str]]:
    try:
        _read(file_of("https://op.example.com", [route("with", "/with", plugins=[*DEFAULT_CHAIN, *names])]))
    except ConfigurationError as error:
        return [(problem.key, problem.what) for problem in error.problems]
    return []


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
