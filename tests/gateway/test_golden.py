"""What is rendered, kept as files that a person can review.

A file begins with its input (`[routes]`, one a line; `[plan]`, keys of `Plan`) and goes on with what comes of it. After
a change that is meant, `python -m tests.gateway.test_golden --write` writes them anew; the diff is the review.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from difflib import unified_diff
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from tests.gateway.doubles import limited, route

from ostiary.decision.routes import Cors
from ostiary.gateway import Certificate, Plan, render

if TYPE_CHECKING:
    from ostiary.decision.routes import Route
    from ostiary.gateway.render.tree import Node

FOLDER: Final = Path(__file__).parents[1] / "golden" / "gateway"
FILES: Final = sorted(FOLDER.glob("*.txt"))
WIDTH: Final = 140
PLAN: Final = Plan(
    listen=("127.0.0.1", 8080), data_dir=Path("/run/ostiary"), routes=(), trusted_ca=Path("/etc/ssl/certs/ca.crt")
)
GENERATION: Final = 7


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_what_is_rendered_is_what_was_reviewed(file: Path) -> None:
    """ours: a change of what Envoy is given is seen as one."""
    text = file.read_text()
    assert rendered(text) == text


def test_there_is_something_to_compare() -> None:
    """Ours."""
    assert {file.stem for file in FILES} >= {"edge", "limits", "routes", "trust", "upstreams"}


def rendered(text: str) -> str:
    """The same input, and what is rendered from it now."""
    sections = dict(_sections(text))
    routes = tuple(_route(line) for line in sections.get("routes", "").splitlines() if line.strip())
    given = json.loads(sections.get("plan", "{}"))
    if "certificate" in given:
        given["certificate"] = Certificate(**{name: Path(path) for name, path in given["certificate"].items()})
    given["trusted_proxies"] = tuple(map(ip_network, given.get("trusted_proxies", ())))
    plan = replace(PLAN, routes=routes, **given)
    outputs = {
        "bootstrap.json": lambda: _compact(render.bootstrap(plan)),
        "lds.json": lambda: _compact(render.lds(GENERATION, plan)),
        "lds.diff": lambda: _differing(render.lds(GENERATION, PLAN), render.lds(GENERATION, plan)),
        "rds.json": lambda: _compact(render.rds(GENERATION, routes)),
        "cds.json": lambda: _compact(render.cds(GENERATION, routes, plan.trusted_ca)),
        "sds.json": lambda: "" if plan.certificate is None else _compact(render.sds(GENERATION, plan.certificate)),
    }
    parts = [
        f"[{name}]\n{outputs[name]()}\n\n" if name in outputs else f"[{name}]\n{content}"
        for name, content in sections.items()
        if name
    ]
    return sections.get("", "") + "".join(parts).rstrip("\n") + "\n"


def _differing(usual: Node, other: Node) -> str:
    """The lines that a plan adds and takes away, with a few around them."""
    lines = unified_diff(_compact(usual).splitlines(), _compact(other).splitlines(), lineterm="", n=1)
    return "\n".join(list(lines)[2:])


def _sections(text: str) -> list[tuple[str, str]]:
    """Name and content; what stands before the first has no name."""
    sections: list[tuple[str, str]] = [("", "")]
    for line in text.splitlines(keepends=True):
        if line.startswith("[") and line.endswith("]\n"):
            sections.append((line[1:-2], ""))
        else:
            name, content = sections[-1]
            sections[-1] = (name, content + line)
    return sections


def _route(line: str) -> Route:
    """`name host path methods upstream [flag…]`; `*` for every host, every method."""
    name, host, path, methods, upstream, *flags = line.split()
    to = urlsplit(upstream)
    assert to.hostname is not None
    assert to.port is not None
    values = dict(flag.split("=", 1) for flag in flags if "=" in flag)
    cors = Cors(origins=tuple(values["cors"].split(",")), headers=("authorization",)) if "cors" in values else None
    made = route(
        name,
        path,
        to.port,
        methods="" if methods == "*" else methods,
        host=None if host == "*" else host,
        to=to.hostname,
        scheme=to.scheme,
        strip_prefix="strip_prefix" in flags,
        anonymous="unsafe_anonymous" in flags,
        forward_token="unsafe_forward_token" in flags,
        timeout=None if "no_timeout" in flags else float(values.get("timeout", 60)),
    )
    max_stream, body_bytes = values.get("max_stream"), values.get("body_bytes")
    return limited(
        made,
        max_stream=None if max_stream is None else float(max_stream),
        body_bytes=None if body_bytes is None else int(body_bytes),
        cors=cors,
    )


def _compact(node: Node, indent: int = 0) -> str:
    """JSON in which whatever fits on a line is on one."""
    line = json.dumps(node)
    if len(line) + indent <= WIDTH or not isinstance(node, dict | list | tuple) or not node:
        return line
    inner = " " * (indent + 1)
    if isinstance(node, dict):
        items = [f"{json.dumps(key)}: {_compact(value, indent + 1)}" for key, value in node.items()]
        opening, closing = "{}"
    else:
        items = [_compact(value, indent + 1) for value in node]
        opening, closing = "[]"
    return opening + "\n" + ",\n".join(inner + item for item in items) + "\n" + " " * indent + closing


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    for path in FILES:
        path.write_text(rendered(path.read_text()))
