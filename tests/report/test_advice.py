from __future__ import annotations

import pytest

from cxpath.report.advice import advice


@pytest.mark.parametrize(
    ("reason", "cue"),
    [
        ("37 viable tumour cells found, at least 100 are required", "another block"),
        ("No tumour found", "another block"),
        ("0.9 µm per pixel lies outside the model's range", "--mpp"),
        ("tissue colour outside the span of haematoxylin and DAB", "--stain-check off"),
        ("94 % of the tissue is out of focus", "Rescan"),
        ("no tissue found", "--roi"),
        ("something nobody thought of", "do not take the missing score for a negative one"),
    ],
)
def test_every_reason_has_a_way_out(reason: str, cue: str) -> None:
    assert cue in advice(reason)
