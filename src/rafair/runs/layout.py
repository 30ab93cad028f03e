"""The files of a run directory, and the bytes that they hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CERTIFICATES",
    "CERTIFIED",
    "INSTANCES",
    "MANIFEST",
    "METRICS",
    "PLAN",
    "REGIONS",
    "as_json",
]

# Written last: without it a directory holds no whole run.
MANIFEST = "manifest.json"
METRICS, INSTANCES = "metrics.json", "instances.parquet"
# What was asked, where it was drafted for the run.
PLAN = "plan.toml"
CERTIFICATES, CERTIFIED = "certificates.json", "certificates.parquet"
REGIONS = "regions.parquet"


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a JSON file."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
