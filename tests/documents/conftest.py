from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.run_folders import SCORES, write_run


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of a normal, a borderline and a not evaluable slide, with pictures; do not change them."""
    base = tmp_path_factory.mktemp("runs-for-documents")
    return {case: write_run(base / case.replace(" ", "-"), make()) for case, make in SCORES.items()}
