"""Envoy itself is asked: whatever settings can say, it takes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.doubles import limited, route

from ostiary.decision.routes import USUAL_METHODS, Cors
from ostiary.gateway import Plan, render
from ostiary.gateway.envoy import find_binary, validate

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.decision.routes import Route

# As `judge.route_settings` allows them.
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
HOSTS = st.sampled_from([None, "api.example.com", "a-b.c0", "localhost", "[2001:db8::1]", "192.0.2.1"])
SEGMENTS = st.text(st.sampled_from("aZ0-_~!$&'()*+,=:@."), min_size=1, max_size=6).filter(
    lambda text: set(text) != {"."}
)
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda segments: "/" + "/".join(segments))
METHODS = st.one_of(
    st.just(""), st.sets(st.sampled_from(USUAL_METHODS), min_size=1).map(lambda some: ",".join(sorted(some)))
)
TARGETS = st.sampled_from(["127.0.0.1", "::1", "localhost", "backend_1.internal", "partner.example.com"])
ROUTES = st.lists(
    st.builds(
        limited,
        st.builds(
            route,
            NAMES,
            PATHS,
            st.integers(1, 65535),
            methods=METHODS,
            host=HOSTS,
            to=TARGETS,
            scheme=st.sampled_from(["http", "https", "h2c"]),
            strip_prefix=st.booleans(),
            anonymous=st.booleans(),
            forward_token=st.booleans(),
            timeout=st.one_of(st.none(), st.floats(0.001, 86_400)),
        ),
        max_stream=st.one_of(st.none(), st.floats(0.001, 315_360_000)),
        body_bytes=st.one_of(st.none(), st.integers(1, 1 << 40)),
        cors=st.one_of(
            st.none(),
            st.builds(
                Cors, origins=st.just(("https://[::1]:8443", "http://a")), headers=st.sampled_from([(), ("X-a", "b")])
            ),
        ),
    ),
    max_size=12,
    unique_by=(lambda made: made.name, lambda made: (made.match.host, made.match.path)),
)


def verdict(folder: Path, routes: list[Route]) -> str | None:
    """Envoy's: None if it would take the files."""
    bundle = folder / "ca.pem"
    if not bundle.exists():
        trustme.CA().cert_pem.write_to_path(str(bundle))
    plan = Plan(listen=("127.0.0.1", 8080), data_dir=folder, routes=tuple(routes), trusted_ca=bundle)
    file = folder / "all.yaml"
    file.write_text(render.to_text(render.self_contained(1, plan)))
    return asyncio.run(validate(find_binary(None), file))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(routes=ROUTES)
def test_envoy_takes_whatever_settings_can_say(tmp_path: Path, routes: list[Route]) -> None:
    """ours: names, paths and hosts come from a file that a person wrote."""
    assert verdict(tmp_path, routes) is None


def test_envoy_takes_many_routes(tmp_path: Path) -> None:
    """NOTES, figures: above a hundred they are a tree."""
    assert (
        verdict(tmp_path, [route(f"r{i}", f"/r{i}", 9001, methods="GET,PUT", host="h.example") for i in range(300)])
        is None
    )


@pytest.mark.parametrize("path", ["/trailing/", "/a?b", "/a#b"])
def test_envoy_says_why_not(tmp_path: Path, path: str) -> None:
    """NOTES, reload 1: validation is the only place where the reason is said before anything happens."""
    said = verdict(tmp_path, [route("odd", path, 9001)])
    assert said is not None
    assert path in said


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    """NOTES, start: the bootstrap is always strict."""
    tree = json.loads(
        render.to_text(render.self_contained(1, Plan(listen=("127.0.0.1", 1), data_dir=tmp_path, routes=())))
    )
    tree["static_resources"]["clusters"][0]["conect_timeout"] = "1s"
    file = tmp_path / "misspelt.yaml"
    file.write_text(json.dumps(tree))
    said = asyncio.run(validate(find_binary(None), file))
    assert said is not None
    assert "conect_timeout" in said
