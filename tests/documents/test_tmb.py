"""A mutational burden comes back as it was written, of one sample and of several."""

from __future__ import annotations

from pathlib import Path

from cxpath.documents.tmb import FunnelEntry, SampleBurden, TmbDocument, TmbTable

BURDEN = SampleBurden(
    sample="T1", preset="msk_like", method="MSK-IMPACT-like", value=8.5, interval=(3.9, 16.1), level=0.95,
    variants=8, megabases=0.94, not_applied=(), not_reproduced=("nothing",), warnings=("less than 1 Mb",),
    funnel=(FunnelEntry(step="called", left=9, removed=1, unknown=0, applied=True, why_not=""),),
    source="a paper", as_of="2026-11-01", certainty="read",
)  # fmt: skip


def test_one_sample_comes_back(tmp_path: Path) -> None:
    document = TmbDocument(cxpath="1", **dict(BURDEN))
    document.write(tmp_path / "tmb.json")
    assert TmbDocument.read(tmp_path / "tmb.json") == document


def test_several_samples_come_back(tmp_path: Path) -> None:
    document = TmbTable(cxpath="1", samples=(BURDEN, BURDEN.model_copy(update={"sample": "T2"})))
    document.write(tmp_path / "tmb.json")
    assert TmbTable.read(tmp_path / "tmb.json") == document
