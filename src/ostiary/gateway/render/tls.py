"""TLS at the public listener. The certificate is a watched secret, `sds.json`: what replaces it drains nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.gateway.render.tree import typed

if TYPE_CHECKING:
    from ostiary.gateway.plan import Certificate
    from ostiary.gateway.render.tree import Node, Tree

SECRET_KIND: Final = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - a message's name
_NAME: Final = "public"


def certificate_watched(path: str) -> Tree:
    """A certificate that comes from the watched file."""
    source: Tree = {"resource_api_version": "V3", "path_config_source": {"path": path}}
    return {"tls_certificate_sds_secret_configs": [{"name": _NAME, "sds_config": source}]}


def certificate_named(certificate: Certificate) -> Tree:
    """The same in one file with the listener; nobody watches it."""
    return {"tls_certificates": [_pair(certificate)]}


def secret(generation: int, certificate: Certificate) -> dict[str, Node]:
    """The watched secret. What is renamed into the certificate's folder has both files read again.

    So has each generation: Envoy reads no file again for a secret that is spelt as before. There are spellings enough
    for refused generations in between.
    """
    folder = str(certificate.chain.parent)
    chain = f"{folder}/{'./' * (generation % 64)}{certificate.chain.name}"
    pair = {**_pair(certificate), "certificate_chain": {"filename": chain}}
    return {"name": _NAME, "tls_certificate": {**pair, "watched_directory": {"path": folder}}}


def transport_socket(certificate: Tree) -> Tree:
    """TLS 1.2 or later; ALPN picks the protocol, and without it the first bytes do. Names (SNI) are not looked at."""
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context={
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                **certificate,
            },
        ),
    }


def _pair(certificate: Certificate) -> dict[str, Node]:
    return {
        "certificate_chain": {"filename": str(certificate.chain)},
        "private_key": {"filename": str(certificate.key)},
    }
