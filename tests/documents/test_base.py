"""What every document of cxpath does when it is read and written, whole or damaged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.data.reasons import RESEARCH_USE
from cxpath.documents.base import Document
from cxpath.documents.evaluation import Evaluation
from cxpath.documents.folder import RunDocument
from cxpath.documents.score import FieldsDocument, ScoreDocument
from cxpath.errors import DocumentError, MissingFileError, OutputError
from tests.report.run_folders import RUN, SCORES, document_of, normal_score
from tests.report.test_evaluation_page import evaluation


def refused(kind: type[Document], path: Path, content: bytes | str) -> str:
    """Return the line that reading such a file ends in."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DocumentError) as caught:
        kind.read(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    assert caught.value.hint, "it says what to do"
    return line


@pytest.mark.parametrize("case", SCORES)
def test_a_document_comes_back_as_it_was_written(case: str, tmp_path: Path) -> None:
    score, path = document_of(SCORES[case]()), tmp_path / "score.json"
    score.write(path)
    assert ScoreDocument.read(path) == score
    assert json.loads(path.read_text(encoding="utf-8")) == SCORES[case]()
    assert path.read_text(encoding="utf-8") == score.text() + "\n"
    assert [one.name for one in tmp_path.iterdir()] == ["score.json"]


@pytest.mark.parametrize("kind", [ScoreDocument, RunDocument, FieldsDocument, Evaluation])
def test_a_document_begins_with_its_schema_and_the_research_use_sentence(kind: type[Document]) -> None:
    assert list(kind.model_fields)[:2] == ["schema_name", "research_use"]
    assert kind.model_fields["research_use"].default == RESEARCH_USE
    assert str(kind.schema_of()).startswith("cxpath/")


def test_no_such_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="score the slide again"):
        ScoreDocument.read(tmp_path / "score.json")


@pytest.mark.parametrize(
    "content",
    ["", "{", "not json", b"\xff\xfe\x00", b"\x00" * 100, "[" * 100_000, '{"schema": ' + "9" * 9_000 + "}"],
    ids=["empty", "cut off", "words", "not UTF-8", "zeros", "deep", "a huge number"],
)
def test_what_is_no_json_is_one_line(tmp_path: Path, content: bytes | str) -> None:
    assert "not readable JSON" in refused(ScoreDocument, tmp_path / "score.json", content)


@pytest.mark.parametrize("content", ["[]", "3", "null", '{"a": 1}', '{"schema": null}', '{"schema": ["x"]}'])
def test_another_schema_or_none_is_one_line(tmp_path: Path, content: str) -> None:
    assert "schema is " in refused(ScoreDocument, tmp_path / "score.json", content)


def test_a_document_of_an_earlier_cxpath_says_to_score_again(tmp_path: Path) -> None:
    line = refused(ScoreDocument, tmp_path / "score.json", json.dumps({"schema": "cxpath/score/1"}))
    assert "schema is 'cxpath/score/1', not 'cxpath/score/2' (score the slide again" in line


def test_a_run_in_the_place_of_a_score_is_refused(tmp_path: Path) -> None:
    line = refused(ScoreDocument, tmp_path / "score.json", json.dumps(RUN))
    assert "schema is 'cxpath/run/2'" in line


def keys_below(value: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the place of every key of a document, inside lists that of the first entry."""
    if isinstance(value, list):
        return keys_below(value[0], (*place, "0")) if value else []
    if not isinstance(value, dict):
        return []
    return [one for key, inner in value.items() for one in ((*place, key), *keys_below(inner, (*place, key)))]


def changed(document: dict[str, Any], place: tuple[str, ...], value: Any = None) -> dict[str, Any]:
    """Return a copy without a key, or with another value there."""
    copy = json.loads(json.dumps(document))
    at = copy
    for key in place[:-1]:
        at = at[int(key)] if isinstance(at, list) else at[key]
    at.pop(place[-1])
    if value is not None:
        at[place[-1]] = value
    return dict(copy)


NAMED_BY_DATA = {"excluded_mm2", "null_because"}
"""A key below these may be any."""
WITH_A_DEFAULT = {"schema", "research_use", "audited", "review", "cutoffs", "colour"}
"""Left out, these say what the class says; of another schema, `schema` is tested by itself."""


def required(place: tuple[str, ...]) -> bool:
    """Say whether a score cannot be read without the key: settings and cut-offs by value are free."""
    if set(place[:-1]) & (NAMED_BY_DATA | {"scoring"}) or place[-2:-1] == ("cutoffs",):
        return False
    return place[-1] not in WITH_A_DEFAULT or len(place) > 3


@pytest.mark.parametrize("place", [one for one in keys_below(normal_score()) if required(one)])
def test_every_missing_key_of_a_score_is_named(tmp_path: Path, place: tuple[str, ...]) -> None:
    line = refused(ScoreDocument, tmp_path / "score.json", json.dumps(changed(normal_score(), place)))
    assert f"{'.'.join(place)}: is missing" in line


@pytest.mark.parametrize(
    "place",
    [
        one
        for one in keys_below(normal_score())
        if not set(one[:-1]) & NAMED_BY_DATA and one[-2:-1] != ("cutoffs",)
    ],
)
def test_every_misspelt_key_of_a_score_is_an_error(tmp_path: Path, place: tuple[str, ...]) -> None:
    wrong = (*place[:-1], f"{place[-1]}_")
    document = json.loads(json.dumps(normal_score()))
    at = document
    for key in place[:-1]:
        at = at[int(key)] if isinstance(at, list) else at[key]
    at[wrong[-1]] = 1
    line = refused(ScoreDocument, tmp_path / "score.json", json.dumps(document))
    assert f"{place[-1]}_: " in line


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("cps", "value"), "12", "cps.value: Input should be a valid number"),
        (("cps", "value"), math.nan, "cps.value: Input should be a finite number"),
        (("cps", "interval_tissue"), [1.0], "cps.interval_tissue.1: is missing"),
        (("cps", "interval_tissue"), [1.0, math.inf], "cps.interval_tissue.1: Input should be a finite"),
        (("cps", "cutoffs", "1", "decision"), "perhaps", "cps.cutoffs.1.decision: "),
        (("cps", "cutoffs", "1", "probability"), 1.5, "cps.cutoffs.1.probability: "),
        (("counts", "tumour_positive"), 3.5, "counts.tumour_positive: "),
        (("counts", "tumour_positive"), -1, "counts.tumour_positive: "),
        (("evaluable",), "yes", "evaluable: Input should be a valid boolean"),
        (("slide", "mpp"), 0, "slide.mpp: "),
        (("warnings",), ["plain words"], "warnings.0: "),
        (("warnings",), [{"code": "nonsense", "text": "x"}], "warnings.0.code: "),
        (("scoring", "field_um"), -5, "scoring.field_um: "),
        (("research_use",), "For diagnosis.", "research_use: "),
    ],
)
def test_every_wrong_value_names_its_field(
    tmp_path: Path, place: tuple[str, ...], value: Any, said: str
) -> None:
    content = json.dumps(changed(normal_score(), place, value))
    assert said in refused(ScoreDocument, tmp_path / "score.json", content)


@given(st.binary(max_size=60))
def test_no_bytes_end_in_another_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    refused(ScoreDocument, tmp_path_factory.getbasetemp() / "any-score.json", content)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@given(st.sampled_from(keys_below(normal_score())), JSON)
def test_no_value_at_any_place_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, ...], value: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed-score.json"
    path.write_text(json.dumps(changed(normal_score(), place, value)), encoding="utf-8")
    try:
        read = ScoreDocument.read(path)
    except DocumentError:
        return
    read.write(path)
    assert ScoreDocument.read(path) == read, "what is read can be written and read again"


def test_a_document_cannot_be_changed_nor_hold_what_json_cannot() -> None:
    score = document_of(normal_score())
    with pytest.raises(ValidationError):
        score.assay = "sp263"  # type: ignore[misc]
    assert score.cps is not None
    with pytest.raises(ValidationError):
        type(score.cps).model_validate(dict(score.cps) | {"value": math.nan})


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        document_of(normal_score()).write(tmp_path / "none" / "score.json")


def test_an_evaluation_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(evaluation()), encoding="utf-8")
    read = Evaluation.read(path)
    read.write(path)
    assert Evaluation.read(path) == read
    assert json.loads(path.read_text(encoding="utf-8")) == evaluation() | {"reliability": [], "curves": []}
