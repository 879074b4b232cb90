"""`run.json` comes back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxpath.documents.folder import RunDocument
from cxpath.errors import DocumentError
from tests.report.run_folders import RUN


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(RUN), encoding="utf-8")
    run = RunDocument.read(path)
    run.write(path)
    assert RunDocument.read(path) == run
    assert json.loads(path.read_text(encoding="utf-8")) == RUN
    assert run.tiles.read == 812
    assert run.slide.properties == {"openslide.objective-power": "40"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stains": {"white_point": [243.0, 242.1]}}, "stains.white_point.2: is missing"),
        ({"tiles": {"planned": 1}}, "tiles.read: is missing"),
        ({"patient": "Jane"}, "patient: is not a key of this document"),
        ({"timings_s": {"open": "fast"}}, "timings_s.open: Input should be a valid number"),
        ({"timings_s": {"open": 10**60}}, "timings_s.open: the number is too large"),
        ({"slide": RUN["slide"] | {"height_px": 10**15}}, "slide.height_px: Input should be less than"),
        ({"slide": RUN["slide"] | {"mpp": 1e50}}, "slide.mpp: Input should be less than"),
    ],
)
def test_a_damaged_one_names_the_field(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(RUN | changes), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"run\.json: ") as caught:
        RunDocument.read(path)
    assert said in str(caught.value)
