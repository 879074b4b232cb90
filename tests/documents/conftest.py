from __future__ import annotations

from tests.report.conftest import finished_runs

__all__ = ["finished_runs"]
