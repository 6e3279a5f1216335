"""What Envoy refused by itself: an access line becomes a value, its code details a reason.

Envoy writes a line for each answer that no upstream gave. Those of the judge's denials are among them
(`ext_authz_denied`): whoever keeps the records leaves them out where the judge recorded the reference.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ostiary.decision.reasons import Reason
from ostiary.gateway.render.finding import GUARD_DOTS, GUARD_FORWARDED, GUARD_HOST, GUARD_PATH, GUARD_UPGRADE


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLine:
    """One access line.

    Attributes:
        time: RFC 3339, when the request began.
        reference: None where the client got none: an HTTP/2 stream that was reset.
        status: as sent; 0: nothing was. A refusal of gRPC is sent as 200: here, what it would have been elsewhere.
        details: Envoy's word for what happened, `direct_response` for instance.
        flags: Envoy's response flags, `-` if none.
        path: as matched, without query and without what stands behind a `#`, where a token may be (RFC 6749 §4.2.2);
            None before a request could be read.
        route: `{generation}:{route}`, a guard's name, `nothing`, or None before routing.
        peer: the client's address.
    """

    time: str
    reference: str | None
    status: int
    details: str
    flags: str
    method: str | None
    path: str | None
    route: str | None
    peer: str
    duration_ms: int


def parse_edge_line(line: bytes) -> EdgeLine | None:
    """Read one line of Envoy's standard output; None if it is no access line."""
    try:
        members = json.loads(line)
        status, duration_ms = members["status"], members["duration_ms"]
        text = {name: members[name] for name in _TEXTS}
    except (ValueError, KeyError, TypeError):
        return None
    if type(status) is not int or not all(value is None or type(value) is str for value in text.values()):
        return None
    return EdgeLine(
        time=text["time"] or "",
        reference=text["reference"],
        status=_told(status, text["error"]) if members.get("upstream_ms") is None else status,
        details=text["details"] or "",
        flags=text["flags"] or "-",
        method=text["method"],
        path=text["path"] and "".join(text["path"].partition("#")[:2]),
        route=text["route"] or None,
        peer=text["peer"] or "",
        duration_ms=duration_ms if type(duration_ms) is int else 0,
    )


def is_recorded(line: EdgeLine) -> bool:
    """Whether somebody may ask for this refusal: not where the client left, not where nothing was answered."""
    return line.status >= _FIRST_ERROR and not line.details.startswith("downstream_")


def reason_of(line: EdgeLine) -> Reason:
    """The first row that fits; what fits none is `edge-other`."""
    for row in _ROWS:
        if (
            line.details.startswith(row.details)
            and (row.status is None or row.status == line.status)
            and (row.route is None or row.route == line.route)
        ):
            return row.reason
    return Reason.EDGE_OTHER


def _told(status: int, error: str | None) -> int:
    """What a client was told by us: gRPC has its own status behind a 200, and beside it the dialect's error code."""
    return int(error[2:5]) if status == HTTPStatus.OK and error and _ERROR_CODE.fullmatch(error) else status


_TEXTS: Final = ("time", "reference", "error", "details", "flags", "method", "path", "route", "peer")
_FIRST_ERROR: Final = 400
# 1600000 + 100 times the status, and what the dialect has beside it.
_ERROR_CODE: Final = re.compile(r"16[45][0-9]{4}")


@dataclass(frozen=True, slots=True)
class _Row:
    reason: Reason
    details: str = ""  # what they begin with
    status: int | None = None
    route: str | None = None


_ROWS: Final = (
    _Row(Reason.EDGE_GATE, details="rbac_access_denied"),
    _Row(Reason.EDGE_HEADERS, details="ext_authz_", status=431),
    _Row(Reason.EDGE_DECISION, details="ext_authz_"),
    _Row(Reason.EDGE_PATH, details="path_normalization_failed"),
    _Row(Reason.EDGE_PATH, route=GUARD_PATH),
    _Row(Reason.EDGE_PATH, route=GUARD_DOTS),
    _Row(Reason.EDGE_MALFORMED, route=GUARD_HOST),
    _Row(Reason.EDGE_MALFORMED, route=GUARD_UPGRADE),
    _Row(Reason.EDGE_MALFORMED, route=GUARD_FORWARDED),
    _Row(Reason.EDGE_HEADERS, status=431),
    _Row(Reason.EDGE_BODY_TOO_LARGE, status=413),
    _Row(Reason.EDGE_TIMEOUT, status=408),
    _Row(Reason.EDGE_TIMEOUT, status=504),
    _Row(Reason.EDGE_MALFORMED, details="http", status=400),  # http1.…, http.invalid_authority
    _Row(Reason.EDGE_MALFORMED, details="upgrade_failed"),
    _Row(Reason.EDGE_MALFORMED, details="missing_host_header"),
    _Row(Reason.ROUTE_UNMATCHED, status=404),
    _Row(Reason.EDGE_OTHER, details="overload"),
    _Row(Reason.EDGE_UPSTREAM, status=502),
    _Row(Reason.EDGE_UPSTREAM, status=503),
)
