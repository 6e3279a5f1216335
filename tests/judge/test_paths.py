"""What a path becomes, without Envoy; that Envoy does the same is `test_paths_envoy`'s."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostiary.judge.paths import is_canonical, normalise

PATHS = st.text(alphabet='/.;%2eEfF5cC\\a1"?#\x00 ~', max_size=16).map("/".__add__)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/my-gateway/prod/billing", "/my-gateway/prod/billing"),
        ("/status/../my-gateway/prod/billing", "/my-gateway/prod/billing"),
        ("/status/%2e%2E/billing", "/billing"),
        ("/a//b/./c/", "/a/b/c/"),
        ("/a\\..\\b", "/b"),
        ("/a/..;x/b", "/b"),
        ("/a;x", "/a;x"),
        ("/%61%2D%7e", "/a-~"),
        ("/a%252e%3a", "/a%252e%3a"),
        ('/"', "/%22"),
        ("/../..", "/"),
    ],
)
def test_one_path_has_one_form(raw: str, path: str) -> None:
    """Attack table, path confusion: what is judged is what is forwarded."""
    assert normalise(raw) == path
    assert normalise(raw.encode()) == path


@pytest.mark.parametrize(
    "raw", ["/a%2fb", "/a%5Cb", "/%00", "/%", "/%2", "/%zz", "/a#b", "/a b", "/\x7f", "/é", "/a?b"]
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(raw: str) -> None:
    """Contract gateway, Reasons: `edge-path`."""
    assert normalise(raw) is None
    assert normalise(raw.encode()) is None


@pytest.mark.parametrize("raw", ["", "*", "a", "?", "http://h/a", "\\a", "h:443"])
def test_what_does_not_begin_with_a_slash_is_no_path(raw: str) -> None:
    """RFC 9112 §3.2: absolute-form, authority-form and asterisk-form are other things."""
    assert normalise(raw) is None
    assert not is_canonical(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "/..",
        "/a/./b",
        "//",
        "//a",
        "/a//b",
        "/%2e",
        "/a%2E%2e",
        "/a%2fb",
        "/a%2Fb",
        "/a;x",
        "/a\\b",
        "/%61",
        '/"',
        "/{x}",
    ],
)
def test_what_somebody_could_route_differently_is_not_canonical(raw: str) -> None:
    """Contract forward-auth: the list of targets that are refused."""
    assert not is_canonical(raw)


@pytest.mark.parametrize(
    "raw", ["/", "/a", "/a/", "/a/b..c", "/...", "/a%20b", "/user%40example.com", "/%E4%BD%A0", "/a:b@c"]
)
def test_what_clients_usually_send_is_canonical(raw: str) -> None:
    """Ours: the refusal is for odd targets, not for names with a blank in them."""
    assert is_canonical(raw)


@given(raw=PATHS)
@example(raw="/%2e%2e%2f")
def test_a_path_never_has_dot_segments_or_backslashes(raw: str) -> None:
    """RFC 3986 §5.2.4: nothing is left to climb with."""
    path = normalise(raw)
    if path is not None:
        assert path.startswith("/")
        assert not {".", ".."} & set(path.split("/"))
        assert "\\" not in path
        assert "//" not in path.removeprefix("/") or path == "//"


@given(raw=PATHS)
@example(raw="/a/%2e%2e;/b")
def test_a_canonical_path_is_its_own_form(raw: str) -> None:
    """Ours: Envoy's form of `/%2e%2e;/` is `/..;/`, which has another one; no such path is canonical."""
    if is_canonical(raw):
        assert normalise(raw) == raw
        assert ";" not in raw
