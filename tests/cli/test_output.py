"""What `cxpath score` prints: every score with its interval and whose it is."""

from __future__ import annotations

from pathlib import Path

from cxpath.cli.output import summary_lines
from tests.report.run_folders import audited_score, document_of, normal_score


def lines(score: dict[str, object]) -> list[str]:
    return list(summary_lines(document_of(score), Path("out")))


def test_the_networks_scores_need_no_label() -> None:
    said = lines(normal_score())
    assert "CPS      12  (95% interval 10 to 14)" in said
    assert "TPS      8.5  (95% interval 6.9 to 10)" in said


def test_the_scores_below_an_audited_one_are_the_networks_and_say_so() -> None:
    said = lines(audited_score() | {"h_score": 8.96, "h_score_grades": {"3+": 0.04, "1+": 9.96}})
    audited = said.index("CPS      4.2  (95% interval 1.5 to 11)")
    assert said.index("         the CPS is audited by a person") > audited
    for words in (
        "network  CPS 12  (95% interval 10 to 14)",
        "network  TPS 8.5  (95% interval 6.9 to 10)",
        "H-score  8.9, from the network",
        "         3+: <1 %, 1+: 9.9 %",
    ):
        assert said.index(words) > audited
    assert not any(line.startswith("TPS ") for line in said)
