"""A certificate for a listener: two PEM files in one folder, where whoever serves them sees both being replaced."""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, model_validator

from ostiary.config.files import read_regular
from ostiary.config.problems import Complaint
from ostiary.config.secrets import MAXIMUM_SECRET_BYTES, SecretReference
from ostiary.config.settings import Settings, refused
from ostiary.config.shape import REFERENCE_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostiary.config.problems import KeyPath
    from ostiary.config.section import Configuration

_PEM_KEY = re.compile("PRIVATE KEY-----")
# RFC 7468 §11, and RFC 1421 §4.6.1.1 as OpenSSL's older form has it.
_ENCRYPTED = re.compile("BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED")
_STRANGERS = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


class KeyReference(SecretReference):
    """Where a private key lies. A file alone: Envoy reads it, and reads it again when it is replaced."""

    model_config = ConfigDict(json_schema_extra={REFERENCE_MARK: True, "minProperties": 1})

    file: str = Field(min_length=1)
    """A PEM file, not encrypted."""
    env: None = None
    """Nothing: a variable cannot be replaced while a process runs."""

    @model_validator(mode="before")
    @classmethod
    def _is_a_file(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("env") is not None:
            raise refused("names an environment variable", "Envoy reads the key itself: write `{file: PATH}`.")
        return value


class TlsSettings(Settings):
    """A certificate and its key. Replace both by renaming, the key first: the next handshake has them."""

    certificate: str = Field(min_length=1)
    """A PEM file: the certificate, then those that signed it."""
    key: KeyReference
    """`{file: PATH}` alone: its private key, not encrypted, in the certificate's folder."""


def refuse_tls(tls: TlsSettings, at: KeyPath, file: Configuration) -> Iterator[Complaint]:
    """For a check: what keeps a pair from being served. Whether clients trust it, and until when, is not looked at.

    Args:
        tls: valid.
        at: its path.
        file: where the key is resolved, unless it is another process's.
    """
    if at[0] in file.unresolved:
        return
    at_certificate, at_key = (*at, "certificate"), (*at, "key")
    certificate, key = file.resolve_path(tls.certificate), file.resolve_path(tls.key.file)
    folder = certificate.parent
    if folder.resolve() != key.parent.resolve():
        yield Complaint(
            path=at_key,
            what="names a file outside the certificate's folder",
            hint="Put both into one folder: it is watched for their being replaced.",
        )
    if folder.is_dir() and not os.access(folder, os.R_OK):
        yield Complaint(
            path=at_certificate,
            what="names a file in a folder that cannot be listed",
            hint="This user must be able to read the folder: it is watched for the files' being replaced.",
        )
    fault = _certificate_fault(certificate)
    if fault is not None:
        yield Complaint(path=at_certificate, what=fault, hint="It must be a PEM file that this user may read.")
    secret = file.secrets.get(at_key)
    if secret is None:  # said where it was looked for
        return
    if not _PEM_KEY.search(secret.reveal()):
        yield Complaint(path=at_key, what="leads to no private key", hint="It must be a PEM file.")
    elif _ENCRYPTED.search(secret.reveal()):
        hint = "Nobody is there to be asked for a password: `openssl pkey -in KEY -out PATH` writes it without one."
        yield Complaint(path=at_key, what="leads to an encrypted key", hint=hint)
    elif fault is None:
        yield from _judge(certificate, key, at)


def _certificate_fault(path: Path) -> str | None:
    try:
        text = read_regular(path, MAXIMUM_SECRET_BYTES).decode("ascii", "ignore")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):  # the latter where it is empty
        return "names a file without a certificate"
    except OSError as error:
        return f"names a file that cannot be read ({(error.strerror or 'nobody says why').lower()})"
    return None


def _judge(certificate: Path, key: Path, at: KeyPath) -> Iterator[Complaint]:
    """Load them as a server would."""
    try:
        # A password, so that OpenSSL never asks at a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        reason = getattr(error, "reason", None)
        if reason in _STRANGERS:
            yield Complaint(
                path=(*at, "key"),
                what="leads to a key that is not the certificate's",
                hint="Name the two that were made together, or wait until both have been replaced.",
            )
        elif reason is None:
            yield Complaint(path=(*at, "key"), what="leads to no private key", hint="It must be a PEM file.")
        else:
            why = str(reason).lower().replace("_", " ")
            yield Complaint(path=at, what=f"is refused by OpenSSL ({why})", hint="Have another certificate issued.")
