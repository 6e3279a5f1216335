"""One file → one value, or all that is wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, GetJsonSchemaHandler, JsonValue

from ostiary.config import (
    AnySection,
    Complaint,
    Configuration,
    ConfigurationError,
    IssuerUrl,
    RootSettings,
    SecretReference,
    Section,
    Settings,
    Table,
    load,
    load_bytes,
    refuse_insecure_http,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core.core_schema import CoreSchema

    from ostiary.config import Problem

    Loading = Callable[..., Configuration]
    Refusing = Callable[..., tuple[Problem, ...]]


class Introspection(Settings):
    kind: Literal["rfc7662"]
    issuer: IssuerUrl
    client_secret: SecretReference
    allow_insecure_http: bool = False


class Bkauth(Settings):
    kind: Literal["bkauth"]
    url: IssuerUrl


class Servers(RootSettings[Table[Annotated[Introspection | Bkauth, Field(discriminator="kind")]]]):
    pass


class Route(Settings):
    name: str
    server: str = Field(alias="authorization_server")
    scopes: tuple[str, ...] = ()


class Routes(RootSettings[tuple[Route, ...]]):
    pass


class Cache(Settings):
    rows: int = 5


def check_servers(servers: Servers, _file: Configuration) -> Iterator[Complaint]:
    for name, server in servers.root.items():
        if isinstance(server, Introspection):
            yield from refuse_insecure_http(
                server.issuer, ("servers", name, "issuer"), allow_insecure_http=server.allow_insecure_http
            )


def check_routes(routes: Routes, file: Configuration) -> Iterator[Complaint]:
    servers = file.find(SERVERS)
    for index, route in enumerate(routes.root):
        if servers is not None and route.server not in servers.root:
            yield Complaint(
                path=("routes", index, "authorization_server"),
                what="names no authorization server",
                hint="Known: " + ", ".join(servers.root),
                failure_class="config.routes.unknown_server",
            )
        if not route.scopes:
            yield Complaint(path=("routes", index, "scopes"), what="is missing", hint="Write a scope.")


SERVERS = Section(name="servers", model=Servers, check=check_servers)
ROUTES = Section(name="routes", model=Routes, check=check_routes)
CACHE = Section(name="cache", model=Cache, default=Cache())
SECTIONS: tuple[AnySection, ...] = (SERVERS, ROUTES, CACHE)

VALID = """\
servers:
  corp: {kind: rfc7662, issuer: https://op.example.com, client_secret: {env: SECRET}}
routes:
- {name: a, authorization_server: corp, scopes: [openid]}
"""
ENVIRON = {"SECRET": "s3cret"}


def told(problems: tuple[Problem, ...]) -> list[str]:
    """Line and column with what is wrong, without the folder."""
    return [f"{problem.where.line}:{problem.where.column} {problem.what}" for problem in problems if problem.where]


def test_a_valid_file_is_one_frozen_value(tmp_path: Path, loaded: Loading) -> None:
    """Conventions: configuration is a frozen value."""
    file = loaded(VALID, *SECTIONS, environ=ENVIRON)
    assert file.path == tmp_path / "ostiary.yaml"
    assert file.base_dir == tmp_path
    assert file.version == 1
    assert file.data_dir == tmp_path / "var"
    assert file.bytes_sha256 == hashlib.sha256((tmp_path / "ostiary.yaml").read_bytes()).hexdigest()
    assert file.broken == frozenset()
    assert file.require(ROUTES).root == (Route(name="a", authorization_server="corp", scopes=("openid",)),)
    assert file.secret("servers", "corp", "client_secret").reveal() == "s3cret"
    assert str(file.positions.nearest(("routes", 0, "name")).value).endswith("ostiary.yaml:5:10")
    with pytest.raises(AttributeError):
        file.version = 2  # type: ignore[misc]  # that it is refused is the point
    with pytest.raises(TypeError):
        file.require(SERVERS).root["x"] = Bkauth(kind="bkauth", url="https://x")  # type: ignore[index]  # the same


def test_a_section_that_is_absent_is_its_default_or_none(loaded: Loading) -> None:
    """Ours."""
    file = loaded("", *SECTIONS)
    assert file.find(CACHE) == Cache(rows=5)
    assert file.find(ROUTES) is None
    with pytest.raises(LookupError, match="no section 'routes'"):
        file.require(ROUTES)
    assert loaded("cache: {rows: 6}", *SECTIONS).require(CACHE).rows == 6


def test_all_errors_of_shape_of_meaning_and_of_secrets_come_in_one_run(problems: Refusing) -> None:
    """Configuration contract: all other errors come in one run, those of meaning over the sections that are valid."""
    text = """\
data_dir: 5
servers:
  corp: {kind: rfc7662, issuer: http://op.example.com, client_secret: {env: SECRET}}
  bk: {kind: bkauth, url: https://bk.example.com}
routes:
- {name: a, authorization_server: crop, scopes: [openid]}
- name: b
  authorization_server: bk
cache: {row: 5, rows: many}
jobs: {}
extra: 1
extra: 2
"""
    found = problems(text, *SECTIONS, later=("jobs",))
    assert told(found) == [
        "2:11 `data_dir` must be text",
        "4:33 `servers.corp.issuer` is plain http to another machine",
        "4:71 `servers.corp.client_secret` names an environment variable that is not set",
        "7:35 `routes[0].authorization_server` names no authorization server",
        "8:3 `routes[1].scopes` is missing",
        "10:9 `cache.row` is not a known key",
        "10:23 `cache.rows` must be a whole number",
        "11:1 `jobs` is not in this version",
        "12:1 `extra` is not a known key",
        "13:1 the file has a key twice; the first stands in line 12",
    ]
    assert found[3].failure_class == "config.routes.unknown_server"
    assert found[5].hint == "Did you mean `rows`?"


def test_a_check_sees_no_broken_section_and_a_broken_section_is_not_checked(problems: Refusing) -> None:
    """Configuration contract: errors of meaning over the sections that are valid."""
    text = VALID.replace("kind: rfc7662", "kind: rfc7663").replace(": corp", ": crop")
    assert told(problems(text, *SECTIONS)) == ["3:16 `servers.corp.kind` must be `rfc7662` or `bkauth`"]


def test_a_broken_section_is_not_its_default(problems: Refusing) -> None:
    """Ours: a check must not judge by a default that the operator did not choose."""
    seen = []

    def check(_settings: Settings, file: Configuration) -> Iterator[Complaint]:
        seen.append((file.find(CACHE), file.broken))
        yield from ()

    other = Section(name="other", model=Settings, check=check)
    assert len(problems("cache: {rows: x}\nother: {}", CACHE, other)) == 1
    assert seen == [(None, frozenset({"cache"}))]


def test_a_missing_key_points_at_its_parent(problems: Refusing) -> None:
    """Configuration contract."""
    text = "servers:\n  corp:\n    kind: rfc7662\n    issuer: https://a\n  bk: {}\nroutes:\n- name: a\n"
    assert told(problems(text, *SECTIONS)) == [
        "3:3 `servers.corp.client_secret` is missing",
        "6:3 `servers.bk.kind` is missing",
        "8:3 `routes[0].authorization_server` is missing",
    ]


def test_a_value_that_yaml_refused_is_not_refused_again_by_its_type(problems: Refusing) -> None:
    """Ours."""
    text = (
        "servers:\n  corp: *x\nroutes:\n- {name: !t x, authorization_server: bk}\ncache: {rows: 9999999999999999999}\n"
    )
    assert told(problems(text, *SECTIONS)) == [
        "3:9 `servers.corp` has an alias, which is not allowed",
        "5:10 `routes[0].name` has a tag, which is not allowed",
        "6:15 `cache.rows` is a number over 64 bits",
    ]


def test_a_syntax_error_stands_alone(problems: Refusing) -> None:
    """Configuration contract."""
    (problem,) = problems("cache: {rows: x}\nx: [1\n\n", *SECTIONS)
    assert problem.what.startswith("the file is not valid YAML")
    assert problem.hint == "What it belongs to began in line 3."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2", "must be 1"),
        ("'1'", "must be a whole number"),
        ("true", "must be a whole number"),
        ("1.0", "must be a whole number"),
    ],
)
def test_only_version_1_is_read(text: str, what: str) -> None:
    """Configuration contract: version: 1."""
    with pytest.raises(ConfigurationError) as caught:
        load_bytes(f"version: {text}\n".encode(), (), {}, origin=Path("o.yaml"))
    assert told(caught.value.problems) == [f"1:10 `version` {what}"]


def test_the_version_is_demanded() -> None:
    """Configuration contract: version: 1."""
    with pytest.raises(ConfigurationError) as caught:
        load_bytes(b"# c\ndata_dir: x\n", (), {}, origin=Path("o.yaml"))
    assert str(caught.value).startswith("o.yaml:2:1: `version` is missing")


def test_the_data_dir_is_relative_to_the_file(tmp_path: Path, loaded: Loading, problems: Refusing) -> None:
    """Configuration contract: relative paths are relative to the file."""
    assert loaded("data_dir: state").data_dir == tmp_path / "state"
    assert loaded("data_dir: /var/lib/x").data_dir == Path("/var/lib/x")
    assert told(problems("data_dir: ''")) == ["2:11 `data_dir` must be at least 1 characters long"]


def test_a_socket_path_has_107_bytes_at_most(problems: Refusing) -> None:
    """Configuration contract: a socket path over 107 bytes is an error."""
    longest = "/" + "d" * (107 - len("//decision-00.sock"))
    assert problems(f"data_dir: {longest}") == ()
    (problem,) = problems(f"data_dir: {longest}d")
    assert problem.what == "`data_dir` makes socket paths of 108 bytes; the system allows 107"
    (problem,) = problems(f"data_dir: {longest[:-1]}ä")
    assert "108 bytes" in problem.what


def test_a_default_data_dir_below_a_long_folder_is_refused_at_the_top(tmp_path: Path) -> None:
    """Configuration contract: a socket path over 107 bytes is an error."""
    with pytest.raises(ConfigurationError) as caught:
        load_bytes(b"version: 1\n", (), {}, origin=tmp_path / ("d" * 100) / "o.yaml")
    (problem,) = caught.value.problems
    assert problem.key == "data_dir"
    assert problem.where is not None
    assert problem.where.line == 1


def test_bytes_kept_elsewhere_still_belong_to_the_original(tmp_path: Path) -> None:
    """Architecture: relative paths stay relative to the original."""
    (tmp_path / "s").write_text("x")
    text = VALID.replace("{env: SECRET}", "{file: s}")
    data = f"version: 1\n{text}".encode()
    file = load_bytes(data, SECTIONS, {}, origin=tmp_path / "o.yaml")
    assert file.secret("servers", "corp", "client_secret").reveal() == "x"
    assert file.path == tmp_path / "o.yaml"


def test_a_relative_origin_becomes_absolute_but_messages_keep_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ours."""
    monkeypatch.chdir(tmp_path)
    assert load_bytes(b"version: 1\n", (), {}, origin=Path("o.yaml")).path == tmp_path / "o.yaml"
    with pytest.raises(ConfigurationError, match=r"^o\.yaml:1:10: "):
        load_bytes(b"version: 2\n", (), {}, origin=Path("o.yaml"))


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    """Ours: exit code 2, not a traceback."""
    for path, why in ((tmp_path / "none.yaml", "no such file or directory"), (tmp_path, "is a directory")):
        with pytest.raises(ConfigurationError) as caught:
            load(path, (), {})
        assert str(caught.value) == f"the file {path} cannot be read: {why}\n  hint: Name another file with `-c FILE`."


def test_a_later_section_is_told_from_an_unknown_key(problems: Refusing) -> None:
    """Configuration contract: a key whose part is not built yet is refused as "not in this version"."""
    found = problems("drive: {a: 1}\ndrvie: 1\nservres: 1\n", *SECTIONS, later=("drive", "jobs"))
    assert [(problem.what, problem.hint) for problem in found] == [
        ("`drive` is not in this version", "Remove it; a later version may have it."),
        ("`drvie` is not a known key", "Known here: version, data_dir, servers, routes, cache."),
        ("`servres` is not a known key", "Did you mean `servers`?"),
    ]


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///var/x.db", "sqlite:////etc/o/var/x.db"),
        ("sqlite+aiosqlite:///x.db?timeout=5", "sqlite+aiosqlite:////etc/o/x.db?timeout=5"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql:///x", "postgresql:///x"),
    ],
)
def test_a_relative_sqlite_url_begins_at_the_file(url: str, resolved: str) -> None:
    """Configuration contract: in `sqlite:///` URLs too; four slashes are absolute."""
    file = load_bytes(b"version: 1\n", (), {}, origin=Path("/etc/o/o.yaml"))
    assert file.resolve_sqlite_url(url) == resolved


KEYS = st.sampled_from(
    ["servers", "routes", "cache", "corp", "kind", "issuer", "client_secret", "rfc7662", "bkauth", "env"]
)
TREES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | KEYS | st.floats(allow_infinity=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(KEYS, TREES, max_size=4))
@settings(deadline=None)
def test_no_tree_raises_anything_but_a_configuration_error(tree: dict[str, object]) -> None:
    """Ours: every error of every model has words and a place."""
    text = f"version: 1\n{tree_text(tree)}"
    try:
        load_bytes(text.encode(), SECTIONS, {}, origin=Path("/o.yaml"))
    except ConfigurationError as error:
        assert all(problem.where and problem.what and problem.hint for problem in error.problems)  # noqa: PT017 (it may be valid)


def tree_text(tree: dict[str, object]) -> str:
    def flow(value: object) -> str:
        match value:
            case dict():
                return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
            case list():
                return "[" + ", ".join(map(flow, value)) + "]"
            case float():
                return repr(value).replace("inf", ".inf").replace("nan", ".nan")
            case None | bool():
                return str(value).lower().replace("none", "null")
            case _:
                return str(value)

    return "".join(f"{key}: {flow(value)}\n" for key, value in tree.items())


def test_secrets_of_another_process_are_not_looked_for() -> None:
    """Ours: a decision worker must start without the operator's token, and need not hold it."""
    servers = {
        "version": 1,
        "servers": {"a": {"kind": "rfc7662", "issuer": "https://x", "client_secret": {"env": "E"}}},
    }
    section = Section(name="servers", model=Servers)
    with pytest.raises(ConfigurationError, match=r"servers\.a\.client_secret"):
        load_bytes(json.dumps(servers).encode(), [section], {}, origin=Path("/o.yaml"))
    found = load_bytes(json.dumps(servers).encode(), [section], {}, origin=Path("/o.yaml"), unresolved=["servers"])
    assert (found.find(section) is not None, dict(found.secrets)) == (True, {})


@pytest.mark.parametrize(
    "line",
    [
        "servers: {corp: {kind: rfc7662, issuer: https://op, client_secret:hunter2}}",
        "servers: {corp: {kind: rfc7662, issuer: https://op, client_secret hunter2}}",
        "servers: {corp: {kind: rfc7662, issuer: https://op, hunter2}}",
        "servers: {client_secret:hunter2}",
        "servers:\n  corp:\n    client_secret:hunter2: 1",
        "servers:\n  corp: {kind: rfc7662, issuer: https://op, hunter2: *x}",
        "servers:\n  corp: {kind: rfc7662, issuer: https://op, hunter2: {x: 1, x: 2}}",
        "hunter2: *x",
        "client_secret:hunter2:",
        "client_secret hunter2: {x: &x 1}",
    ],
)
def test_what_stands_where_a_key_should_is_told_by_its_place(problems: Refusing, line: str) -> None:
    """Configuration contract: messages name the key, never the value."""
    found = problems(f"{line}\n", *SECTIONS)
    assert found
    assert all(problem.where and problem.hint for problem in found)
    assert "hunter2" not in "".join(f"{problem} {problem.key}" for problem in found)


def test_an_unknown_key_is_told_where_it_stands_whether_it_is_named_or_not(problems: Refusing) -> None:
    """Configuration contract: what, where, hint."""
    assert told(problems("cache:\n  rowz: 1\n  rows2: 1\nhunter2: 1\n", *SECTIONS)) == [
        "3:3 `cache.rowz` is not a known key",
        "4:3 `cache` has a key that is not known",
        "5:1 the file has a key that is not known",
    ]


def test_a_section_that_no_file_does_without_is_missing_at_the_top_beside_all_else(loaded: Loading) -> None:
    """Configuration contract: all errors in one run; a missing key points at its parent."""
    needed = Section(name="needed", model=Cache, required="Write it.")
    with pytest.raises(ConfigurationError) as caught:
        loaded("cache: {rows: x}", needed, CACHE)
    first, second = caught.value.problems
    assert (first.key, first.what, first.hint) == ("needed", "`needed` is missing", "Write it.")
    assert (str(first.where).rpartition(":")[0][-2:], second.key) == (":1", "cache.rows")
    assert loaded("needed: {}", needed).require(needed).rows == 5
    with pytest.raises(ConfigurationError, match=r"`needed` must be a mapping"):
        loaded("needed: null", needed)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """Ours: nobody writes into it, and reading it would wait for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="cannot be read: not a regular file"):
        load(path, (), {})
    with pytest.raises(ConfigurationError, match="cannot be read: not a regular file"):
        load(Path("/dev/zero"), (), {})


def test_the_shape_of_a_section_is_looked_at_once_however_much_is_refused_in_it(problems: Refusing) -> None:
    """Ours: a large file with an error in each line is answered as soon as a valid one."""
    looked: list[str] = []

    class Counting(Settings):
        rows: int = 5

        @classmethod
        def __get_pydantic_json_schema__(
            cls, schema: CoreSchema, handler: GetJsonSchemaHandler
        ) -> dict[str, JsonValue]:
            looked.append("once more")
            return handler(schema)

    found = problems("counting: {rows: 1" + ", rows: 2" * 50 + "}", Section(name="counting", model=Counting))
    assert (len(found), len(looked)) == (50, 1)
