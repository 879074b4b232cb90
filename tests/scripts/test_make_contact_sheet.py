from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scripts.conftest import RunScript

pytestmark = pytest.mark.xdist_group("scripts")


@pytest.mark.slow
def test_three_sheets_of_a_size_for_documents(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("make_contact_sheet.py", "small", tmp_path)
    assert ended.returncode == 0, ended.stderr
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == ["sees-colon.webp", "sees-drawn-1.webp", "sees-drawn-2.webp"]
    for path in paths:
        assert path.stat().st_size <= 400_000
        with Image.open(path) as sheet:
            assert sheet.width >= 1300
            # Positive cells are marked with an orange that no picture has so often.
            orange = np.abs(np.asarray(sheet.convert("RGB")).astype(int) - (230, 120, 0)).max(axis=2) < 25
            assert orange.sum() > 1000


def test_what_cannot_be_done_is_one_line(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("make_contact_sheet.py", "huge", tmp_path)
    assert ended.returncode == 1
    assert "model 'huge' is unknown" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
