"""The tour as data: what is asked, with which credentials, and what it must come to.

Every user story and edge case of spec 002 has at least one visit; a test holds it to that. The routes are those of
`demo.configuration`.
"""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.detection import DETECTION
from ostiary.demo.tour.discovery import DISCOVERY
from ostiary.demo.tour.gateway_apis import GATEWAY_APIS
from ostiary.demo.tour.mcp_servers import MCP_SERVERS
from ostiary.demo.tour.tricks import TRICKS
from ostiary.demo.tour.verification import VERIFICATION

TOUR: Final = (DETECTION, VERIFICATION, MCP_SERVERS, GATEWAY_APIS, TRICKS, DISCOVERY)
