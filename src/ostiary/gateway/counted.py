"""What Envoy counts, by the names it has for them: what the supervisor asks for, and nothing else."""

from __future__ import annotations

from typing import Final

RDS_VERSION: Final = "http.public.rds.public.version_text"
RDS_REFUSED: Final = ("http.public.rds.public.update_rejected", "http.public.rds.public.update_failure")
CDS_VERSION: Final = "cluster_manager.cds.version_text"
ACTIVE_REQUESTS: Final = "http.public.downstream_rq_active"
CERTIFICATES_REFUSED: Final = "sds.public.key_rotation_failed"
# All that Envoy counts. With thousands of routes it would go through hundreds of thousands at each question, and while
# it does, it neither answers others nor takes a file.
COUNTED: Final = (RDS_VERSION, *RDS_REFUSED, CDS_VERSION, ACTIVE_REQUESTS, CERTIFICATES_REFUSED)
