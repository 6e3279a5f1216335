"""One file → one frozen value, or everything that is wrong with it at once.

A room describes its part of the file as a `Section` of `Settings` models; `cli` hands all sections and the environment
to `load`. Secrets are references, resolved once per load and kept apart from the models. Nothing here reads the
environment of the process, and no message repeats a value of the file.
"""

from ostiary.config.addresses import (
    HttpUrl,
    IssuerUrl,
    Listen,
    ListenAddress,
    Network,
    OriginUrl,
    is_loopback_literal,
    parse_authority,
    refuse_insecure_http,
)
from ostiary.config.document import Positions
from ostiary.config.loading import load, load_bytes, read_file
from ostiary.config.problems import Complaint, ConfigurationError, KeyPath, Position, Problem
from ostiary.config.quantities import (
    Duration,
    LiftableDuration,
    LiftableSize,
    Size,
    duration_text,
    size_text,
    within,
)
from ostiary.config.schema import schema
from ostiary.config.secrets import (
    Secret,
    SecretFailure,
    SecretReference,
    StrongSecretReference,
    Unresolved,
    resolve,
)
from ostiary.config.section import AnySection, Configuration, Section
from ostiary.config.settings import (
    LATER_HINT,
    NOT_IN_THIS_VERSION,
    RootSettings,
    Settings,
    Table,
    expected,
    later,
    refused,
)
from ostiary.config.tls import TlsSettings, refuse_tls

__all__ = [
    "LATER_HINT",
    "NOT_IN_THIS_VERSION",
    "AnySection",
    "Complaint",
    "Configuration",
    "ConfigurationError",
    "Duration",
    "HttpUrl",
    "IssuerUrl",
    "KeyPath",
    "LiftableDuration",
    "LiftableSize",
    "Listen",
    "ListenAddress",
    "Network",
    "OriginUrl",
    "Position",
    "Positions",
    "Problem",
    "RootSettings",
    "Secret",
    "SecretFailure",
    "SecretReference",
    "Section",
    "Settings",
    "Size",
    "StrongSecretReference",
    "Table",
    "TlsSettings",
    "Unresolved",
    "duration_text",
    "expected",
    "is_loopback_literal",
    "later",
    "load",
    "load_bytes",
    "parse_authority",
    "read_file",
    "refuse_insecure_http",
    "refuse_tls",
    "refused",
    "resolve",
    "schema",
    "size_text",
    "within",
]
