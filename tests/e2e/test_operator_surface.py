"""What operators see of a gateway that runs: health, readiness, and figures that count what happens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.e2e.running import OPERATOR_TOKEN, Reply, request
from tests.integrations.judging import API

if TYPE_CHECKING:
    from tests.e2e.running import Running

    from ostiary.devserver import DevelopmentServer

AS_OPERATOR: Final = (("Authorization", b"Bearer " + OPERATOR_TOKEN.encode()),)
PLAIN: Final = "/my-gateway/prod/plain"
AWAY: Final = "/my-gateway/prod/away"
SAMPLE: Final = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def ask(gateway: Running, path: str, method: str = "GET", headers: tuple[tuple[str, bytes], ...] = ()) -> Reply:
    return request(gateway.operator_port, method, path, headers)


def samples(gateway: Running) -> Samples:
    """Each line of the page, by name and labels."""
    page = ask(gateway, "/metrics", headers=AS_OPERATOR).body.decode()
    found = [match.groups() for line in page.splitlines() if (match := SAMPLE.match(line))]
    return {(name, frozenset(LABEL.findall(labels or ""))): float(value) for name, labels, value in found}


def total(page: Samples, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    return sum(value for (found, has), value in page.items() if found == name and set(labels.items()) <= has)


def settled(gateway: Running) -> Samples:
    """The page once Envoy's lines of all requests so far are read: they come in their order, the last is waited for."""
    gateway.explain(gateway.send("GET", "/nowhere").reference)
    return samples(gateway)


def as_client(gateway: Running, token: str, path: str = PLAIN) -> Reply:
    return gateway.send("GET", path, (("Authorization", b"Bearer " + token.encode()),))


@pytest.fixture
def token(authority: DevelopmentServer) -> str:
    return authority.mint(client_id="reader", subject="alice", audience=[API])


@pytest.mark.parametrize(("path", "word"), [("/healthz", b"ok\n"), ("/readyz", b"ready\n")])
def test_health_and_readiness_are_one_word_for_everybody(gateway: Running, path: str, word: bytes) -> None:
    """operator.md: no token."""
    reply = ask(gateway, path)
    assert (reply.status, reply.body) == (200, word)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Authorization", b"Bearer "),),
        (("Authorization", b"Bearer " + OPERATOR_TOKEN[:-1].encode()),),
        (("Authorization", b"Bearer " + OPERATOR_TOKEN.encode() + b"x"),),
        (("Authorization", b"Basic " + OPERATOR_TOKEN.encode()),),
        (("Cookie", b"session=" + OPERATOR_TOKEN.encode()),),
        (("X-Bkapi-Authorization", OPERATOR_TOKEN.encode()),),
    ],
)
def test_figures_are_for_who_shows_the_operators_token(
    gateway: Running, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """operator.md: behind the operator token."""
    reply = ask(gateway, "/metrics", headers=headers)
    assert (reply.status, reply.header("www-authenticate")) == (401, 'Bearer realm="ostiary operator"')
    assert b"ostiary_" not in reply.body
    assert ask(gateway, "/metrics", headers=AS_OPERATOR).status == 200


def test_a_good_token_of_a_client_is_no_operators(gateway: Running, token: str) -> None:
    """Ours: two doors, two keys."""
    assert as_client(gateway, token).status == 200
    assert ask(gateway, "/metrics", headers=(("Authorization", b"Bearer " + token.encode()),)).status == 401
    assert as_client(gateway, OPERATOR_TOKEN).status == 401


def test_every_metric_of_the_contract_that_is_built_has_a_sample(gateway: Running, token: str) -> None:
    """operator.md, Metrics."""
    for path, bearer in ((PLAIN, token), (PLAIN, token), (AWAY, token), ("/nowhere", token)):
        as_client(gateway, bearer, path)
    page = samples(gateway)
    assert total(page, "ostiary_cache_entries") > 0
    assert {name for name, _ in page} >= {
        "ostiary_decisions_total",
        "ostiary_decision_seconds_bucket",
        "ostiary_decision_seconds_count",
        "ostiary_decision_seconds_sum",
        "ostiary_authority_seconds_count",
        "ostiary_cache_events_total",
        "ostiary_decision_log_dropped_total",
    }


def test_each_decision_is_counted_once_under_what_it_came_to(gateway: Running, token: str) -> None:
    """operator.md, Metrics: door, route, verdict, reason; what the worker judged and what Envoy refused."""
    before = settled(gateway)
    for path, bearer, times in (
        (PLAIN, token, 3),
        (PLAIN, "nobody-issued-this-either", 2),
        (AWAY, token, 1),
        (PLAIN + "/a%2fb", token, 4),
    ):
        for _ in range(times):
            as_client(gateway, bearer, path)
    after = settled(gateway)

    def risen(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    decisions = "ostiary_decisions_total"
    assert risen(decisions, door="gateway", route="plain", verdict="allow", reason="") == 3
    assert risen(decisions, route="plain", verdict="deny", reason="token-inactive") == 2
    assert risen(decisions, route="away", verdict="unavailable", reason="authority-unavailable") == 1
    assert risen(decisions, verdict="deny", reason="edge-path") == 4
    assert risen(decisions, verdict="deny", reason="route-unmatched") == 1
    assert risen(decisions) == 11
    assert risen("ostiary_decision_seconds_count") == 6  # Envoy's answers are not timed
    assert risen("ostiary_cache_events_total", authority="corp", event="miss") == 2
    assert risen("ostiary_cache_events_total", authority="corp", event="hit") == 2
    assert risen("ostiary_cache_events_total", authority="corp", event="inactive-hit") == 1
    assert risen("ostiary_authority_seconds_count", authority="corp", outcome="active") == 1
    assert risen("ostiary_authority_seconds_count", authority="corp", outcome="inactive") == 1
    assert risen("ostiary_decision_log_dropped_total") == 0


def test_an_authority_that_is_away_makes_nobody_unready(gateway: Running, token: str) -> None:
    """Ours: another replica would find it away as well, and the other routes are served; the breaker shows it."""
    assert {as_client(gateway, token, AWAY).status for _ in range(6)} == {503}
    assert total(samples(gateway), "ostiary_breaker_state", authority="away") > 0
    assert ask(gateway, "/readyz").status == 200
    assert as_client(gateway, token).status == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/decisions", "/metrics/", "/docs", "/openapi.json", PLAIN, "/%6detrics"])
def test_nothing_else_answers_not_even_to_an_operator(gateway: Running, path: str) -> None:
    """Issue 7: `/healthz`, `/readyz`, `/metrics`; a page and an API come later."""
    expected = 200 if path == "/%6detrics" else 404  # RFC 3986 §6.2.2.2: the same path
    assert ask(gateway, path, headers=AS_OPERATOR).status == expected


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nobody_changes_anything(gateway: Running, path: str) -> None:
    """RFC 9110 §15.5.6: 405 says what is allowed."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        reply = ask(gateway, path, method, AS_OPERATOR)
        assert (reply.status, reply.header("allow")) == (405, "GET, HEAD")
    assert ask(gateway, path, "HEAD", AS_OPERATOR).body == b""


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/ready", "/stats", "/config_dump", "/quitquitquit"]
)
def test_nothing_of_it_is_reached_through_the_public_listener(gateway: Running, path: str) -> None:
    """operator.md: nor is Envoy's admin interface, which is a socket of its own."""
    for method in ("GET", "POST"):
        reply = gateway.send(method, path, AS_OPERATOR)
        assert reply.status == 404
        assert reply.header("x-bkapi-error-code") == "1640401"
