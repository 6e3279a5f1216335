"""A decision worker that does what the bearer token says; run as a program, with the arguments of the real one.

A generation whose bytes begin with `refuse` is refused with all of them as the errors; `crash` ends the worker,
`crash-0` the first one; `garbage` is answered with what is no message. `told-{index}.log` in the data directory has a
line for each message: process, verb, generation, and whether the sockets were bound by then.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import socket
import sys
from pathlib import Path
from typing import Final

from ostiary.judge.generations import Drain, Load, Loaded, Refused, parse_line, to_line

_ERROR = b"x-bkapi-error-code: 1640100\r\n"
_BODY = b'{"code":1640100}'


def _answer(status: int, headers: bytes = b"", body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


_BY_TOKEN: Final = {
    b"two-challenges": _answer(
        401,
        _ERROR + b'content-type: application/json\r\nwww-authenticate: Bearer realm="a"\r\nwww-authenticate: Basic\r\n'
        b"x-request-id: judge\r\nserver: judge\r\n",
        _BODY,
    ),
    b"forbidden": _answer(403, _ERROR, _BODY),
    b"says-unavailable": _answer(480, _ERROR + b"retry-after: 7\r\n", b'{"why":"authority"}'),
    b"480-of-another": _answer(480, b"retry-after: 7\r\n", b"not ours"),
    b"500": _answer(500, _ERROR + b"x-secret: s\r\n", b"stack trace"),
    b"503": _answer(503, _ERROR + b"retry-after: 9\r\n", b"overloaded"),
    b"401-of-another": _answer(401, b"www-authenticate: Basic\r\n", b"not ours"),
    b"no-verdict": _answer(200),
    b"other-verdict": _answer(200, b"x-ostiary-verdict: body\r\n"),
    b"201": _answer(201, b"x-ostiary-verdict: allow\r\n"),
    b"302": _answer(302, b"location: http://elsewhere.example\r\n"),
}


async def _judge(head: bytes) -> bytes | None:
    if head.startswith(b"GET /healthz "):
        return _answer(200)
    line, _, fields = head.decode("latin-1").partition("\r\n")
    headers = [field.split(": ", 1) for field in fields.rstrip("\r\n").split("\r\n")]
    token = next((value[7:] for name, value in headers if name == "authorization"), "two-challenges").encode("latin-1")
    if token == b"hang-up":
        return None
    if token == b"hang":
        await asyncio.Event().wait()
    if token in _BY_TOKEN:
        return _BY_TOKEN[token]
    seen = json.dumps({"line": line, "headers": headers, "pid": os.getpid()}).encode()
    remove = b"x-envoy-auth-headers-to-remove: x-drop-me\r\n" if token == b"drop" else b""
    identity = b"x-ostiary-verdict: allow\r\nx-bkapi-jwt: %s\r\nx-bkapi-app: reader\r\nx-bkapi-user: \r\n"
    return _answer(200, identity % base64.b64encode(seen) + remove)


async def _decide(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while answer := await _judge(await reader.readuntil(b"\r\n\r\n")):
            writer.write(answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def _publish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.write(
                _answer(200, b"content-type: application/json\r\n", json.dumps(head.decode("latin-1")).encode())
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    given = parser.parse_args()
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=given.control_fd))
    bound = False
    with (given.data_dir / f"told-{given.index}.log").open("a") as told:
        while line := await reader.readline():
            message = parse_line(line)
            told.write(f"{os.getpid()} {type(message).__name__} {getattr(message, 'number', '')} {bound}\n")
            told.flush()
            if isinstance(message, Drain):
                return
            if not isinstance(message, Load):
                continue
            content = await asyncio.to_thread(Path(message.path).read_bytes)
            if content in {b"crash", b"crash-%d" % given.index}:
                sys.exit(3)
            if content.startswith(b"garbage"):
                writer.write(b"this is no message\n")
                continue
            if content.startswith(b"refuse"):
                writer.write(to_line(Refused(number=message.number, errors=content.decode())))
                continue
            if not bound:
                for name, application in (("decision", _decide), ("metadata", _publish)):
                    path = given.data_dir / f"{name}-{given.index}.sock"
                    path.unlink(missing_ok=True)
                    await asyncio.start_unix_server(application, path)
                bound = True
            writer.write(to_line(Loaded(number=message.number)))


if __name__ == "__main__":
    asyncio.run(_main())
