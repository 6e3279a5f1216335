"""An embedded OAuth 2.0 authorization server for the demo and the tests, never for production.

Real HTTP, on loopback only: the client credentials grant (RFC 6749 §4.4), introspection (RFC 7662), revocation
(RFC 7009), metadata (RFC 8414) that say `"ostiary_development": true`. Nothing outlives the process. It has no
`serve` role and no configuration key. `Listener` and `serve` also carry the demo's upstreams.
"""

from __future__ import annotations

from ostiary.devserver.listener import Listener, serve
from ostiary.devserver.server import DevelopmentServer
from ostiary.devserver.tokens import Client

__all__ = ["Client", "DevelopmentServer", "Listener", "serve"]
