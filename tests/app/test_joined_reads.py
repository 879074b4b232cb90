"""cxpath's results next to manual reads: found by name, one for a slide, and nothing joined by chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.joined_reads import (
    NEWEST,
    SOFTWARE,
    JoinedReads,
    join_results,
    plain_name,
    results_by_name,
    slide_names,
)
from cxpath.data.reads import NOT_EVALUABLE, Read, exactly
from cxpath.errors import DocumentError, MissingFileError, StudyError
from tests.report.run_folders import RUN, normal_score, not_evaluable_score, write_run


def result(
    folder: Path, slide: str, *, score: dict[str, Any] | None = None, started: str = "", **changes: Any
) -> Path:
    """Write a result of a slide of that name."""
    document = (score or normal_score()) | changes
    document["slide"] = document["slide"] | {"name": slide, "digest": slide.partition(".")[0].lower()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_run(folder, document, pictures=False)
    if started:
        (folder / "run.json").write_text(json.dumps(RUN | {"started": started}))
    return folder


def read(case: str, value: float = 1.0, *, reader: str = "Ann", **others: Any) -> Read:
    return Read(case=case, reader=reader, value=exactly(value), **others)


def software(joined: JoinedReads) -> dict[str, Read]:
    return {one.slide or one.case: one for one in joined.reads if one.reader == SOFTWARE}


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Case 17.svs", "case 17"),
        ("folder/CASE.ome.tiff", "case.ome"),
        (" 4711.ndpi ", "4711"),
        ("B21.1234", "b21.1234"),
        ("scan.2026", "scan.2026"),
        ("a.b c", "a.b c"),
        (".svs", ""),
        ("plain", "plain"),
    ],
)
def test_a_name_is_compared_without_folder_ending_and_case(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_the_slides_name_is_looked_for_before_the_cases() -> None:
    assert slide_names("S1.svs", "C1") == ("s1", "c1")
    assert slide_names("", "C1") == ("c1",)


def test_every_unit_that_has_a_result_gains_one_read_of_cxpath(tmp_path: Path) -> None:
    result(tmp_path / "r" / "1", "A.svs")
    result(tmp_path / "r" / "2", "B-1.svs", score=not_evaluable_score())
    reads = [
        read("a", reader="Bob"),
        read("a", patient="P", groups={"site": "north"}),
        read("b", slide="b-1.ndpi"),
        read("c"),
    ]
    joined = join_results(reads, [tmp_path / "r"], "CPS")
    assert joined.reads[: len(reads)] == tuple(reads)
    found = software(joined)
    assert found.keys() == {"a", "b-1.ndpi"}
    assert found["a"].value == exactly(normal_score()["cps"]["value"])
    assert (found["a"].patient, found["a"].groups) == ("P", {"site": "north"})
    assert found["b-1.ndpi"].value == NOT_EVALUABLE
    assert joined.results == 2
    assert joined.model_digests == (normal_score()["provenance"]["model_digest"],)
    assert [one.text for one in joined.warnings] == [
        "1 cases have no cxpath result and are compared among readers only"
    ]


def test_the_tps_is_joined_where_it_is_asked_for(tmp_path: Path) -> None:
    result(tmp_path / "1", "A.svs")
    joined = join_results([read("a", score="tps"), read("b", score="CPS")], [tmp_path / "1"], "TPS")
    (found,) = software(joined).values()
    assert (found.score, found.value) == ("tps", exactly(normal_score()["tps"]["value"]))


def test_a_score_that_cxpath_does_not_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="contain CPS and TPS, not 'IC'"):
        join_results([read("a", score="IC")], [tmp_path], "IC")


def test_results_of_no_case_and_other_assays_are_remarked(tmp_path: Path) -> None:
    for name in ("a", "v", "w", "x", "y"):
        result(tmp_path / "r" / name, f"{name}.svs", assay="28-8")
    joined = join_results([read("a", assay="22C3")], [tmp_path / "r"], "CPS")
    assert [one.text for one in joined.warnings] == [
        "4 cxpath results are of no case in the table: v, w, x, ...",
        "reads and results state different assays: 22C3 and 28-8",
    ]


@pytest.mark.parametrize(("read_as", "scored_as"), [("", "28-8"), ("22C3", "unknown"), ("22C3", "22c3")])
def test_an_assay_that_nobody_stated_or_that_is_the_same_is_no_difference(
    read_as: str, scored_as: str, tmp_path: Path
) -> None:
    result(tmp_path / "1", "a.svs", assay=scored_as)
    assert join_results([read("a", assay=read_as)], [tmp_path / "1"], "CPS").warnings == ()


def test_a_table_that_no_result_fits_is_refused_with_an_example(tmp_path: Path) -> None:
    result(tmp_path / "1", "Other.svs")
    with pytest.raises(StudyError, match=r"none of 1 results is of .* \(first result: other\)"):
        join_results([read("a")], [tmp_path / "1"], "CPS")


def test_a_folder_without_results_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="contains no result of cxpath score"):
        results_by_name([tmp_path])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "score.json").write_text("{")
    with pytest.raises(DocumentError, match="not readable JSON"):
        results_by_name([tmp_path])


def test_one_folder_named_twice_is_one_result(tmp_path: Path) -> None:
    folder = result(tmp_path / "r" / "1", "a.svs")
    assert results_by_name([folder, tmp_path / "r", folder]) == {"a": folder}


def two_results(tmp_path: Path) -> list[Path]:
    return [
        result(tmp_path / "first run", "a.svs", started="2026-11-30T10:00:00+02:00"),
        result(tmp_path / "second run", "a.svs", started="2026-11-30T09:00:00"),
    ]


def test_of_several_results_of_a_slide_one_must_be_chosen(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)
    with pytest.raises(StudyError, match="is of the same slide as") as error:
        results_by_name([first, second])
    assert "--prefer newest" in (error.value.hint or "")
    assert results_by_name([first, second], "first")["a"] == first
    with pytest.raises(StudyError, match="of 2 results of its slide 2 have 'run' in their path"):
        results_by_name([first, second], "run")
    with pytest.raises(StudyError, match="of 2 results of its slide 0 have 'third' in their path"):
        results_by_name([first, second], "third")


def test_the_newest_is_the_one_that_began_last_whatever_its_time_zone(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)  # 08:00 and 09:00 UTC
    assert results_by_name([first, second], NEWEST)["a"] == second


def test_a_run_that_does_not_say_when_it_began_is_never_the_newest_by_chance(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)
    (first / "run.json").write_text(json.dumps(RUN | {"started": "yesterday"}))
    with pytest.raises(StudyError, match="does not say when the run began"):
        results_by_name([first, second], NEWEST)


def test_another_slide_of_the_same_name_is_not_taken_for_the_newest(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)
    score = json.loads((second / "score.json").read_text())
    score["slide"]["digest"] = "another"
    (second / "score.json").write_text(json.dumps(score))
    for prefer in ("", NEWEST):
        with pytest.raises(StudyError, match="is of another slide of the same name"):
            results_by_name([first, second], prefer)
    assert results_by_name([first, second], "second")["a"] == second


def test_a_result_of_the_case_that_stands_for_two_of_its_slides_is_said(tmp_path: Path) -> None:
    result(tmp_path / "r" / "1", "C1.svs")
    joined = join_results([read("C1", slide="1"), read("C1", slide="2")], [tmp_path / "r"], "CPS")
    assert [one.text for one in joined.warnings if "another slide of the same case" in one.text]
    alone = join_results([read("C1", slide="1")], [tmp_path / "r"], "CPS")
    assert not [one for one in alone.warnings if "another slide of the same case" in one.text]
