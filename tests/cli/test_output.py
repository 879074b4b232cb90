"""What a command prints of a score, and what it refuses before anything heavy is imported."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich import console as rich_console

from cxpath.app.configuration import Configuration
from cxpath.cli.output import (
    StainCheck,
    effective_configuration,
    multiply_in_one_thread,
    print_document,
    require_files,
    summary_lines,
    tile_progress,
)
from cxpath.errors import ConfigurationError, MissingFileError
from tests.report.run_folders import (
    RESEARCH_USE,
    audited_score,
    borderline_score,
    document_of,
    normal_score,
    not_evaluable_score,
)

FOLDER = Path("out") / "slide"


def lines(score: dict[str, Any], **changes: Any) -> list[str]:
    return list(summary_lines(document_of(score | changes), FOLDER))


def test_a_score_its_cutoffs_its_cells_and_its_doubts() -> None:
    found = lines(normal_score())
    assert found[0] == "slide    case-0417_PD-L1.svs"
    assert "CPS      12  (95% interval 10 to 14)" in found
    assert "TPS      8.5  (95% interval 6.9 to 10)" in found
    assert "         CPS >= 1 (label cut-off): met" in found
    assert "         CPS >= 10 (trial stratum, not a label): met" in found
    counted = "cells    tumour 4102 positive, 44111 negative; immune 1848 positive"
    assert counted in found
    assert "warning  the file contains 2 pictures; the first one is read" in found
    assert found[-2:] == [f"report   {FOLDER / 'report.html'}", RESEARCH_USE]


def test_an_uncertain_cutoff_says_how_probable_it_is_and_asks_for_a_pathologist() -> None:
    (uncertain,) = [line for line in lines(borderline_score()) if ">= 1 " in line]
    assert uncertain == (
        "         CPS >= 1 (label cut-off): uncertain, probability 0.41 that the tumour reaches it; "
        "near the cut-off: pathologist review"
    )


def test_every_line_of_a_score_is_one_that_any_terminal_can_show() -> None:
    """Cut-offs are written with letters; names of slides may be what they are."""
    told = [line for line in lines(normal_score()) if line.startswith(("CPS", "TPS", "   ", "cells"))]
    assert len(told) == 5
    assert all(line.isascii() for line in told)


def test_a_slide_that_is_not_evaluable_gives_every_reason_and_no_number() -> None:
    found = lines(not_evaluable_score())
    assert found[1] == "CPS      not evaluable"
    assert [line for line in found if line.startswith("         because")] == [
        "         because 37 viable tumour cells found, at least 100 are required",
        "         because tissue colour outside the span of haematoxylin and DAB (eosin?)",
    ]
    assert not [line for line in found if line.startswith(("cells", "TPS"))]


def test_another_marker_has_an_h_score_and_its_grades_and_no_cps() -> None:
    grades = {"0": 60.4, "1+": 20.0, "2+": 15.0, "3+": 4.6}
    found = lines(normal_score(), marker="her2", cps=None, tps=None, h_score=63.8, h_score_grades=grades)
    assert "H-score  63" in found
    assert "         0: 60 %, 1+: 20 %, 2+: 15 %, 3+: 4.6 %" in found
    assert not [line for line in found if line.startswith(("CPS", "TPS"))]


def test_a_laboratorys_scale_says_that_it_decides_nothing() -> None:
    scale = {
        "value": 21.7, "beyond_its_cases": False, "basis": "laboratory", "cases": 40, "concordance": 0.9,
        "concordance_unmapped": 0.8, "reads_digest": "ab" * 32,
    }  # fmt: skip
    (told,) = [line for line in lines(normal_score(), laboratory_map=scale) if "scale" in line]
    assert told == "         laboratory's scale 21, by its map of 40 cases: no CPS, decides no cut-off"


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


# A review beside the network's score.

EDITED: dict[str, Any] = {
    "estimate": normal_score()["cps"] | {"value": 3.2, "reported": "3.2", "interval_tissue": [2.0, 5.0]},
    "not_evaluable_because": [], "changed": 3, "added": 0, "removed": 0, "reviewer": "Dr A",
}  # fmt: skip


def reviewed(**changes: Any) -> dict[str, Any]:
    record = {"edits": 3, "events": 4, "head_hash": "ab" * 32, "edited": EDITED | changes}
    return normal_score() | {"review": record}


def test_the_score_that_decides_comes_first_and_the_networks_with_it() -> None:
    found = lines(reviewed())
    assert found[1] == "CPS      3.2  (95% interval 2.0 to 5.0)"
    assert "         the CPS is after a person's edits" in found
    assert "network  CPS 12  (95% interval 10 to 14)" in found
    assert not [line for line in found if line.startswith("signed")]


def test_edits_that_leave_too_few_cells_say_so_and_do_not_fall_back_on_the_network() -> None:
    found = lines(reviewed(estimate=None, not_evaluable_because=["12 viable tumour cells", "100 required"]))
    assert found[1] == (
        "CPS      not evaluable, after a person's edits: 12 viable tumour cells; 100 required"
    )
    assert not [line for line in found if line.startswith("         CPS >=")], "no cut-off is decided"


def test_a_signature_is_named_with_its_time() -> None:
    score = reviewed()
    signed = {"name": "Dr A", "utc": "2026-11-30T10:00:00Z", "meaning": "approved"}
    score["review"] = score["review"] | {"signature": signed}
    assert "signed   approved by Dr A, 2026-11-30T10:00:00Z" in lines(score)


# What is refused, and what is set.


@pytest.mark.parametrize("name", ["gone.svs", "n" * 300, "a\0b"])
def test_a_mistyped_path_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFileError, match="no such file") as caught:
        require_files(tmp_path, None, tmp_path / name)
    assert caught.value.hint == "check the path"
    require_files(None, tmp_path)


def test_an_option_wins_over_a_setting_and_a_setting_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[tissue]\nstain_check = "off"\n[scoring]\nstained_threshold = 0.3\n', encoding="utf-8")
    of_file = effective_configuration(file, None, None)
    assert (of_file.tissue.stain_check, of_file.scoring.stained_threshold) == ("off", 0.3)
    stated = ["scoring.stained_threshold=0.4", 'tissue.stain_check="off"']
    both = effective_configuration(file, stated, StainCheck.ON)
    assert (both.tissue.stain_check, both.scoring.stained_threshold) == ("on", 0.4)
    assert effective_configuration(None, None, None) == Configuration()
    with pytest.raises(ConfigurationError, match="colour"):
        effective_configuration(None, ["scoring.colour=1"], None)


def test_threads_that_a_person_asked_for_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    multiply_in_one_thread()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    multiply_in_one_thread()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


def test_json_has_letters_as_they_are_and_replaces_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"name": "Müller", "µm": 0.25}, ["a line"], as_json=True)
    printed = capsys.readouterr().out
    assert "Müller" in printed
    assert json.loads(printed) == {"name": "Müller", "µm": 0.25}
    print_document({}, iter(["one", "two"]), as_json=False)
    assert capsys.readouterr().out == "one\ntwo\n"


def test_the_bar_of_a_slide_shows_its_whole_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets in a file name are no markup: "a[b].svs" was shown as "a.svs"."""
    monkeypatch.setattr(rich_console.Console, "is_terminal", True)
    monkeypatch.setenv("COLUMNS", "120")
    with tile_progress("case[blue].svs") as move:
        move(1, 4)
    assert "case[blue].svs" in capsys.readouterr().err


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with tile_progress("a.svs") as move:
        move(1, 4)
    assert capsys.readouterr().err == ""
