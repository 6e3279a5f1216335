"""URLs and listen addresses."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.config import (
    HttpUrl,
    IssuerUrl,
    Listen,
    ListenAddress,
    Network,
    OriginUrl,
    Section,
    Settings,
    is_loopback_literal,
    parse_authority,
    refuse_insecure_http,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.config import Configuration, Problem

    Loading = Callable[..., Configuration]
    Refusing = Callable[..., tuple[Problem, ...]]


class Doors(Settings):
    listen: Listen | None = None
    url: HttpUrl | None = None
    issuer: IssuerUrl | None = None
    origin: OriginUrl | None = None
    network: Network | None = None


DOORS = Section(name="doors", model=Doors)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:80", "::1", 80), ("0.0.0.0:65535", "0.0.0.0", 65535)],
)
def test_a_listen_address_is_an_ip_address_and_a_port(loaded: Loading, text: str, host: str, port: int) -> None:
    """Configuration contract."""
    address = loaded(f"doors: {{listen: '{text}'}}", DOORS).require(DOORS).listen
    assert address == ListenAddress(host=host, port=port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "8080",
        ":8080",
        "localhost:8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "::1:80",
        "[::1]",
        "[127.0.0.1]:80",
        "[fe80::1%eth0]:80",
        "127.1:80",
        "127.0.0.1:80 ",
        "127.0.0.01:80",
        "1.2.3.4:٨٠",
        "unix:/x",
    ],
)
def test_anything_else_is_no_listen_address(problems: Refusing, text: str) -> None:
    """Ours: a name may resolve to more than the operator thinks."""
    (problem,) = problems(f"doors: {{listen: '{text}'}}", DOORS)
    assert problem.what == "`doors.listen` must be an IP address and a port such as `127.0.0.1:8080`"


@pytest.mark.parametrize(
    "text",
    ["https://op.example.com", "http://127.0.0.1:9001/x", "https://[2001:db8::1]:8443/a/b?c=d%20e", "https://op_1/"],
)
def test_an_absolute_url_stays_as_it_is_written(loaded: Loading, text: str) -> None:
    """RFC 8414 §2: issuers are compared character by character."""
    assert loaded(f"doors: {{url: '{text}'}}", DOORS).require(DOORS).url == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "op.example.com",
        "//op.example.com",
        "/x",
        "ftp://op",
        "https:/op",
        "https://",
        "https:///x",
        "https://:443",
        "https://a@op",
        "https://a:b@op",
        "https://@op",
        "https://op#",
        "https://op#x",
        "https://op:",
        "https://op:0",
        "https://op:65536",
        "https://op:x",
        "https://o p",
        "https://op/\\n",
        "https://op\\x",
        "https://ö",
        "https://%41",
        "https://[::1",
        "https://[::1]x",
        "https://[127.0.0.1]",
        "https://[zz]",
        "HTTPS://op",
        " https://op",
        "https://-",
        "https://a..b",
        "https://a-",
        "https://127.1",
        "https://1.2.3.4.5",
        "https://[v1.x]",
    ],
)
def test_anything_else_is_no_url(problems: Refusing, text: str) -> None:
    """Ours: user information in a URL is a secret in the wrong place, and a fragment never reaches a server."""
    (problem,) = problems(f'doors: {{url: "{text}"}}'.replace("\\x", "\\\\x"), DOORS)
    assert problem.what == "`doors.url` must be an http or https URL"


def test_an_issuer_has_no_query_and_an_origin_no_path(problems: Refusing) -> None:
    """RFC 8414 §2; RFC 6454 §4."""
    assert problems("doors: {issuer: 'https://op/x/', origin: 'https://op:8443'}", DOORS) == ()
    found = problems("doors: {issuer: 'https://op?', origin: 'https://op/'}", DOORS)
    assert [problem.what for problem in found] == [
        "`doors.issuer` must be an http or https URL without a query",
        "`doors.origin` must be an origin such as `https://op.example.com`",
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"])
def test_loopback_literals_mean_this_machine(host: str) -> None:
    """Configuration contract: 127/8, ::1, localhost."""
    assert is_loopback_literal(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example.com", "127.0.0.1.example.com", "127.1", "0.0.0.0", "::", "128.0.0.1", "10.0.0.1"]
)
def test_other_hosts_do_not(host: str) -> None:
    """Ours: what a name resolves to is somebody else's decision."""
    assert not is_loopback_literal(host)


@given(st.text())
def test_no_host_raises(host: str) -> None:
    """Ours."""
    assert is_loopback_literal(host) in {True, False}


def test_plain_http_to_another_machine_is_refused_unless_allowed() -> None:
    """Configuration contract: `allow_insecure_http`."""
    path = ("doors", "url")
    (complaint,) = refuse_insecure_http("http://op.example.com", path, allow_insecure_http=False)
    assert (complaint.path, complaint.what) == (path, "is plain http to another machine")
    assert refuse_insecure_http("http://op.example.com", path, allow_insecure_http=True) == ()
    assert refuse_insecure_http("https://op.example.com", path, allow_insecure_http=False) == ()
    assert refuse_insecure_http("http://[::1]:80/x", path, allow_insecure_http=False) == ()
    (other,) = refuse_insecure_http("http://op.example.com", path, allow_insecure_http=None)
    assert ("beside it" in complaint.hint, other.hint) == (True, "Use https.")


@pytest.mark.parametrize("text", ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1", "0.0.0.0/0"])
def test_a_network_is_an_address_and_a_prefix(loaded: Loading, text: str) -> None:
    """Configuration contract: source networks."""
    assert loaded(f"doors: {{network: '{text}'}}", DOORS).require(DOORS).network == ip_network(text)


@pytest.mark.parametrize(
    "text", ["3", "'3'", "10.0.0.1/8", "10.0.0.0/33", "10/8", "example.com", "''", "[]", "'::/-1'"]
)
def test_anything_else_is_no_network(problems: Refusing, text: str) -> None:
    """Ours: a network with bits behind its prefix is a typing error one way or the other."""
    (problem,) = problems(f"doors: {{network: {text}}}", DOORS)
    assert problem.what == "`doors.network` must be an IP network such as `192.0.2.0/24`"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Api.example.com", ("api.example.com", None)),
        ("api.example.com.:443", ("api.example.com.", 443)),
        ("my_service:9001", ("my_service", 9001)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("[2001:DB8::1]:80", ("2001:db8::1", 80)),
        ("[::1]", ("::1", None)),
        ("a" * 63 + ".b", ("a" * 63 + ".b", None)),
    ],
)
def test_an_authority_is_a_host_and_perhaps_a_port(text: str, found: tuple[str, int | None]) -> None:
    """RFC 3986 §3.2, without user information."""
    assert parse_authority(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:99999",
        "x:+1",
        "exa mple",
        "%zz",
        '"a"',
        "*",
        "[v1.x]",
        "[127.0.0.1]",
        "::1",
        "u@h",
        "1.2.3",
        "0x7f.1",
        "256.0.0.1",
        "a" * 64,
        ".".join(["a" * 63] * 4),
        "ä",
        "a\n",
    ],
)
def test_anything_else_is_no_authority(text: str) -> None:
    """Ours: what cannot be reached is said by `check`, not by a request."""
    assert parse_authority(text) is None
