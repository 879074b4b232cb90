"""The beginning of a reader study: names of slides, values as TOML, and components that are stated."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cxpath.agreement import AgreementSettings, Components, ReaderStudyPlan
from cxpath.app.review_folder import printed_name
from cxpath.app.study_init import (
    DEFAULT_FIGURE,
    BegunStudy,
    DesignKind,
    StudyRequest,
    _slide_id,
    _value,
    init_study,
    pilot_components,
    plan_readers,
    stated_components,
)
from cxpath.documents import ArmsTestEntry, StudyReportDocument
from cxpath.documents.study import ComponentsEntry
from cxpath.errors import ConfigurationError, MissingFileError, OutputError, StudyError
from cxpath.review import ReviewError, token_hash
from tests.cli.scored_folders import scored_folder
from tests.synthetic_cells import many

STATED = {
    "error": 0.0008,
    "cov1": 0.00035,
    "cov2": 0.00034,
    "cov3": 0.00024,
    "arm_reader": 0.0002,
    "cases": 114,
}


def text_of(stated: Mapping[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in stated.items())


def test_components_are_read_in_any_order_with_blanks() -> None:
    expected = Components(
        reader=0.0, **{name: value for name, value in STATED.items() if name != "cases"}, cases=114
    )
    assert stated_components(text_of(STATED)) == expected
    backwards = dict(reversed(STATED.items()))
    assert stated_components(text_of(backwards).replace(",", " , ").replace("=", " = ")) == expected


def test_the_variance_of_readers_may_be_stated_and_is_0_otherwise() -> None:
    assert stated_components(text_of(STATED)).reader == 0
    assert stated_components(text_of(STATED | {"reader": 0.001})).reader == 0.001


@pytest.mark.parametrize("name", STATED)
def test_a_component_that_is_missing_is_named(name: str) -> None:
    left = {key: value for key, value in STATED.items() if key != name}
    with pytest.raises(ConfigurationError, match=f"components: {name} is missing"):
        stated_components(text_of(left))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not a component"),
        ("errors=1", "'errors=1' is not a component"),
        ("error=1,error=2", "'error=2' is not a component, or occurs twice"),
        ("error", "'error' states no number"),
        ("error=small", "'error=small' states no number"),
        ("error=1", "arm_reader, cov1, cov2, cov3, cases are missing"),
    ],
)
def test_what_is_no_list_of_components_is_refused_with_an_example(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        stated_components(text)
    assert "error=0.0008,cov1=0.00035" in str(refused.value)


@pytest.mark.parametrize("name", STATED)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_refused_and_never_planned_with(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}={value}' states no finite number"):
        stated_components(text_of(STATED | {name: value}))


@pytest.mark.parametrize(
    "change", [{"cases": 1}, {"cases": 10.5}, {"cases": -3}, {"error": 0}, {"error": -1}]
)
def test_cases_and_error_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="cases must be a whole number from 2, and error above 0"):
        stated_components(text_of(STATED | change))


def test_more_readers_never_need_more_cases() -> None:
    planned = plan_readers(ReaderStudyPlan(0.06, stated_components(text_of(STATED))), 5, 0.8)
    assert [one.readers for one in planned] == [3, 4, 5, 7, 10]
    cases = [one.cases or 10**9 for one in planned]
    assert cases == sorted(cases, reverse=True)
    assert all(one.power >= 0.8 for one in planned if one.cases)


def test_two_readers_are_the_fewest_that_are_planned() -> None:
    planned = plan_readers(ReaderStudyPlan(0.06, stated_components(text_of(STATED))), 2, 0.8)
    assert [one.readers for one in planned] == [2, 4, 7]


@given(st.text(min_size=1, max_size=120).filter(lambda name: "/" not in name and "\0" not in name))
def test_a_slide_gets_a_name_that_exports_can_carry(name: str) -> None:
    found = _slide_id(Path("folder") / f"{name}.svs")
    assert found
    assert len(found) <= 80
    assert not found.startswith((" ", ".", "_", "-"))
    assert all(letter.isascii() and (letter.isalnum() or letter in " ._-") for letter in found)


@pytest.mark.parametrize(
    ("file", "name"),
    [("a b.svs", "a b"), ("Zervix-Ä.ndpi", "Zervix-_"), ("..svs", "slide"), ("___.tiff", "slide")],
)
def test_names_of_slides(file: str, name: str) -> None:
    assert _slide_id(Path(file)) == name


@given(
    st.text(max_size=30).filter(str.isprintable)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**40), 2**40)
    | st.lists(st.integers(0, 100), max_size=4)
)
def test_values_are_written_as_toml_reads_them_on_one_line(value: object) -> None:
    written = _value(value)
    assert "\n" not in written
    assert tomllib.loads(f"x = {written}")["x"] == value


@pytest.mark.parametrize("name", ["", "  ", "\t\n", "cxpath", "a\x07b"])
def test_a_reader_without_a_name_of_their_own_is_refused(name: str) -> None:
    with pytest.raises(ReviewError, match="needs the reader's printed name"):
        printed_name(name)


@given(st.lists(st.text("abcÄß.-", min_size=1), min_size=1, max_size=3), st.sampled_from([" ", "  ", "\t"]))
def test_a_name_is_recorded_with_single_blanks(parts: list[str], blank: str) -> None:
    assert printed_name(f" {blank.join(parts)} ") == " ".join(parts)


# The files of a new study.


def slides_of(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / "slides" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder / "slides"


def begun(folder: Path, *names: str, **stated: Any) -> BegunStudy:
    request = StudyRequest("Ring", slides_of(folder, *names), **({"seed": 7} | stated))
    return init_study(folder / "study", request)


def test_slides_are_named_from_the_studys_folder_and_the_first_are_for_practice(tmp_path: Path) -> None:
    study = begun(tmp_path, "b.svs", "a.svs", "deep/c.tiff", "notes.txt", practice=1, anchors=1).study
    assert [(one.id, one.file, one.practice, one.anchor) for one in study.design.slides] == [
        ("a", "../slides/a.svs", True, False),
        ("b", "../slides/b.svs", False, True),
        ("c", "../slides/deep/c.tiff", False, False),
    ]
    assert (study.design.name, study.design.seed, study.design.cutoffs) == ("Ring", 7, (1.0, 10.0))
    assert [one.arm.value for one in study.design.rounds] == ["unaided"]


def test_tokens_are_given_once_and_only_their_hashes_are_kept(tmp_path: Path) -> None:
    found = begun(tmp_path, "a.svs", readers=("Ann", "Bob"))
    stored = (tmp_path / "study" / "tokens.json").read_text(encoding="utf-8")
    assert set(found.tokens) == {"Ann", "Bob"}
    for reader, token in found.tokens.items():
        assert token not in stored
        assert json.loads(stored)["tokens"][reader] == token_hash(token)
    assert len(set(found.tokens.values())) == 2


def test_the_software_says_what_its_results_say(tmp_path: Path) -> None:
    scored_folder(tmp_path / "results" / "a", many({"T+": 10, "T-": 290}))
    scored_folder(tmp_path / "results" / "b", many({"T+": 2, "T-": 30}))
    study = begun(tmp_path, "a.svs", "b.svs", results=(tmp_path / "results",), kind=DesignKind.CROSSED).study
    assert [one.software for one in study.design.slides] == [3.3333, "not evaluable"]
    assert study.design.assay == "22c3"
    assert [(one.arm.value, one.start.value) for one in study.design.rounds] == [
        ("unaided", "wash-out"),
        ("aided", "wash-out"),
    ]


def test_a_study_of_unaided_reads_needs_no_result_and_takes_those_that_there_are(tmp_path: Path) -> None:
    scored_folder(tmp_path / "results" / "a", many({"T+": 10, "T-": 190}))
    study = begun(tmp_path, "a.svs", "b.svs", results=(tmp_path / "results",)).study
    assert [one.software for one in study.design.slides] == [5.0, None]


@pytest.mark.parametrize("kind", [DesignKind.CROSSED, DesignKind.SEQUENTIAL])
def test_an_aided_round_needs_the_software_for_every_slide(tmp_path: Path, kind: DesignKind) -> None:
    with pytest.raises(StudyError, match="shows the software's scores") as caught:
        begun(tmp_path, "a.svs", "b.svs", kind=kind)
    assert caught.value.hint == "name --results"
    scored_folder(tmp_path / "results" / "a", many({"T+": 10, "T-": 190}))
    with pytest.raises(StudyError, match=r"b\.svs: has no result"):
        begun(tmp_path, "a.svs", "b.svs", kind=kind, results=(tmp_path / "results",))
    assert not (tmp_path / "study").exists()


def test_results_of_two_assays_are_no_study(tmp_path: Path) -> None:
    for name, assay in (("a", "22c3"), ("b", "sp263"), ("c", "unknown")):
        scored_folder(tmp_path / "results" / name, many({"T+": 10, "T-": 190}), assay=assay)
    with pytest.raises(StudyError, match="of several assays: 22c3, sp263, unknown"):
        begun(tmp_path, "a.svs", "b.svs", "c.svs", results=(tmp_path / "results",))
    alone = begun(tmp_path / "other", "c.svs", results=(tmp_path / "results",))
    assert alone.study.design.assay == "", "an assay that nobody states"


@pytest.mark.parametrize(
    ("practice", "anchors", "said"),
    [
        (1, 0, "1 slide is too few for 1 practice slide and 0 anchor slides"),
        (0, 2, "1 slide is too few for 0 practice slides and 2 anchor slides"),
    ],
)
def test_practice_leaves_something_to_read(tmp_path: Path, practice: int, anchors: int, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        begun(tmp_path, "a.svs", practice=practice, anchors=anchors)


def test_a_folder_without_slides_says_how_slides_end(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="contains no slide") as caught:
        begun(tmp_path, "notes.txt")
    assert ".svs" in caught.value.hint
    with pytest.raises(MissingFileError, match="no such folder"):
        init_study(tmp_path / "study", StudyRequest("Ring", tmp_path / "nowhere"))


def test_a_study_that_is_there_or_was_begun_is_not_replaced(tmp_path: Path) -> None:
    begun(tmp_path, "a.svs")
    path = tmp_path / "study" / "study.toml"
    before = path.read_text(encoding="utf-8")
    with pytest.raises(OutputError, match=r"study\.toml: is there already"):
        begun(tmp_path, "b.svs")
    request = StudyRequest("Another", tmp_path / "slides", seed=8)
    assert init_study(tmp_path / "study", request, overwrite=True).study.design.name == "Another"
    assert path.read_text(encoding="utf-8") != before
    record = tmp_path / "study" / "readers" / "reader1" / "events.ndjson"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"")
    with pytest.raises(OutputError, match="readers have begun this study"):
        init_study(tmp_path / "study", request, overwrite=True)


def test_a_design_that_is_not_allowed_leaves_what_was_there(tmp_path: Path) -> None:
    twice = ("Ann", "Ann")
    with pytest.raises(ConfigurationError):
        begun(tmp_path, "a.svs", readers=twice)
    path = tmp_path / "study" / "study.toml"
    assert not path.exists()
    begun(tmp_path, "a.svs")
    before = path.read_bytes()
    request = StudyRequest("Ring", tmp_path / "slides", readers=twice)
    with pytest.raises(ConfigurationError):
        init_study(tmp_path / "study", request, overwrite=True)
    assert path.read_bytes() == before


def test_without_a_seed_no_two_studies_have_the_same_order(tmp_path: Path) -> None:
    one, other = (begun(tmp_path / name, "a.svs", seed=None).study.design.seed for name in ("x", "y"))
    assert one != other


# Components of a pilot study.


def pilot(folder: Path, *tests: tuple[str, str]) -> Path:
    entries = tuple(
        ArmsTestEntry(
            figure=figure,
            cutoff=cutoff,
            cases=40,
            left_out=0,
            why="",
            components=ComponentsEntry(**({"reader": 0.0} | STATED | {"cases": 40 + number})),
        )
        for number, (figure, cutoff) in enumerate(tests)
    )
    document = StudyReportDocument(
        study="pilot", design="0" * 64, score="CPS", readers=("A", "B"), cases=40, patients=40,
        rounds=("unaided", "aided"), reads=160, planned=160, not_evaluable=0, reference="panel",
        settings=AgreementSettings(), statistics=(), tests=entries, checklist=(), methods=(), warnings=(),
        cxpath="1",
    )  # fmt: skip
    document.write(folder / "study.json")
    return folder / "study.json"


@pytest.mark.parametrize("cutoff", ["10", "≥ 10", "≥10"])
def test_the_cutoff_of_a_pilot_study_is_named_with_or_without_its_sign(tmp_path: Path, cutoff: str) -> None:
    path = pilot(tmp_path, (DEFAULT_FIGURE, "≥ 1"), (DEFAULT_FIGURE, "≥ 10"), ("area", "≥ 10"))
    assert pilot_components(path, cutoff=cutoff).cases == 41
    assert pilot_components(path, "area").cases == 42, "one test of that figure: no cut-off is needed"


def test_a_pilot_study_with_several_such_tests_or_none_says_what_it_has(tmp_path: Path) -> None:
    path = pilot(tmp_path, (DEFAULT_FIGURE, "≥ 1"), (DEFAULT_FIGURE, "≥ 10"))
    with pytest.raises(ConfigurationError, match="2 tests of 'share of reads on the right side'") as caught:
        pilot_components(path)
    assert "right side at ≥ 1; share of reads on the right side at ≥ 10" in caught.value.hint
    with pytest.raises(ConfigurationError, match="0 tests of 'area' at 1"):
        pilot_components(path, "area", "1")
    with pytest.raises(MissingFileError):
        pilot_components(tmp_path / "none.json")
