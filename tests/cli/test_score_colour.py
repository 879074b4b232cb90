from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.slide.open import open_slide
from tests.cli.command import cxpath
from tests.cli.given_cells import as_csv, countable_cells
from tests.conftest import SyntheticSlide
from tests.slide.icc_profiles import icc_profile
from tests.slide.synthetic_slides import write_tiff


@pytest.fixture(scope="module")
def slide(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real slide file with the profile of a made-up scanner."""
    with open_slide(synthetic_slide.path) as twin:
        levels = [twin.read(0, 0, 2048, 2048, twin.mpp), twin.read(0, 0, 512, 512, 4 * twin.mpp)]
    return write_tiff(tmp_path_factory.mktemp("icc") / "a.tif", levels, iccprofile=icc_profile())


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cells") / "cells.csv"
    as_csv(countable_cells(), path)
    return path


def documents(slide: Path, cells: Path, out: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    done = cxpath("score", slide, "--cells", cells, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    score, run = (json.loads((out / name).read_text(encoding="utf-8")) for name in ("score.json", "run.json"))
    return score, run


def test_a_run_records_the_profile_and_its_use(slide: Path, cells: Path, tmp_path: Path) -> None:
    stains = []
    for use, options in (("applied", ()), ("ignored", ("--set", "slide.icc=ignore"))):
        score, run = documents(slide, cells, tmp_path / use, *options)
        colour = score["slide"]["colour"]
        assert colour == run["slide"]["colour"]
        assert colour["use"] == use
        assert colour["digest"] == hashlib.sha256(icc_profile()).hexdigest()
        stains.append(run["stains"])
    assert stains[0] != stains[1]
