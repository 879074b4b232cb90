"""The processor cores that this process may use, which a queue or container can make fewer than there are."""

from __future__ import annotations

import os


def usable_cores() -> frozenset[int]:
    """Return the numbers of the cores; all of the machine's where the system has no such limits (macOS)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return frozenset(affinity(0) if affinity else range(os.cpu_count() or 1))
