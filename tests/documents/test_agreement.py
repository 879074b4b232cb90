"""A study, compared cells and a calibration come back as they were written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cxpath.agreement.base import AgreementSettings, Interval, Statistic
from cxpath.agreement.study import study_reads
from cxpath.app.agree import agreement_document
from cxpath.data.reasons import Reason, ReasonCode
from cxpath.documents.agreement import (
    PLACES,
    AgreementDocument,
    CellAgreementDocument,
    ComparedImage,
    CxpathVersion,
    PairwiseEntry,
    StatisticEntry,
)
from cxpath.errors import DocumentError
from tests.agreement.simulated_reads import simulated_reads


@pytest.fixture(scope="module")
def study_document(tmp_path_factory: pytest.TempPathFactory) -> AgreementDocument:
    table = tmp_path_factory.mktemp("reads") / "reads.csv"
    table.write_text("any table", encoding="utf-8")
    settings = AgreementSettings(replicates=100, orders=20)
    study = study_reads(simulated_reads(cases=20, rounds=2), settings, software="AI")
    return agreement_document(study, [table], [Reason(ReasonCode.JOIN, "3 cases have no result")], ["ab"])


def test_a_study_comes_back_as_it_was_written(study_document: AgreementDocument, tmp_path: Path) -> None:
    study_document.write(tmp_path / "agreement.json")
    assert AgreementDocument.read(tmp_path / "agreement.json") == study_document
    assert study_document.software == "AI"
    assert {one.analysis for one in study_document.statistics} >= {
        "between readers", "each reader", "comparison", "software against readers", "within readers",
        "subgroup",
    }  # fmt: skip
    assert [one.round for one in study_document.rounds] == [1, 2]


def test_warnings_say_where_they_come_from(study_document: AgreementDocument) -> None:
    codes = [warning.code for warning in study_document.warnings]
    assert codes[0] is ReasonCode.JOIN
    assert set(codes[1:]) == {ReasonCode.CAVEAT}


def test_places_that_do_not_apply_are_left_out_and_all_else_is_there(
    study_document: AgreementDocument,
) -> None:
    stated = json.loads(study_document.text())["statistics"]
    always = set(StatisticEntry.model_fields) - set(PLACES)
    assert all(always <= set(one) for one in stated)
    assert not any(one[place] is None for one in stated for place in PLACES if place in one)


def test_what_is_not_defined_or_infinite_is_null() -> None:
    one = Statistic("k", "K", math.nan, (Interval(-math.inf, 0.5, "exact"),), 3, "m", "s", p_value=math.nan)
    entry = StatisticEntry.of_statistic(one)
    assert (entry.estimate, entry.interval, entry.p_value) == (None, (None, 0.5), None)


def test_a_context_that_no_key_knows_is_an_error_and_no_lost_word() -> None:
    one = Statistic("k", "K", 1.0, (), 3, "m", "s", context={"analysed": "typo"})
    with pytest.raises(ValueError, match="analysed"):
        StatisticEntry.of_statistic(one)


@pytest.mark.parametrize(
    ("key", "wrong", "said"),
    [
        ("statistics", [{"key": "k"}], "statistics.0.label: is missing"),
        ("rounds", [], "rounds: "),
        ("settings", {"cutoffs": [10.0, 1.0]}, "settings.cutoffs: "),
    ],
)
def test_a_damaged_study_names_the_field(
    study_document: AgreementDocument, tmp_path: Path, key: str, wrong: object, said: str
) -> None:
    content = json.loads(study_document.text()) | {key: wrong}
    (tmp_path / "agreement.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        AgreementDocument.read(tmp_path / "agreement.json")
    assert f"agreement.json: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compared_cells_come_back(tmp_path: Path) -> None:
    entry = StatisticEntry.of_statistic(
        Statistic(
            "cell_recall", "Recall", 0.9, (), 1, "m", "s", context={"analysis": "cells", "radius": "6 µm"}
        )
    )
    document = CellAgreementDocument(
        radius_um=6.0,
        images=(ComparedImage(name="a", reference=3, compared=4),),
        classes=("tumour", "other"),
        confusion=((1, 0), (0, 2)),
        statistics=(entry,),
        provenance=CxpathVersion(cxpath="1"),
    )
    document.write(tmp_path / "cells.json")
    assert CellAgreementDocument.read(tmp_path / "cells.json") == document


def test_the_first_interval_is_the_one_to_quote_and_the_others_follow() -> None:
    intervals = (Interval(0.1, 0.9, "bootstrap"), Interval(0.2, 0.8, "F"), Interval(0.0, math.inf, "exact"))
    entry = StatisticEntry.of_statistic(Statistic("icc", "ICC", 0.5, intervals, 30, "m", "s", readers=4))
    assert (entry.interval, entry.interval_method) == ((0.1, 0.9), "bootstrap")
    assert [(one.interval, one.method) for one in entry.other_intervals] == [
        ((0.2, 0.8), "F"),
        ((0.0, None), "exact"),
    ]
    assert (entry.n, entry.readers, entry.p_value) == (30, 4, None)


def test_a_statistic_without_an_interval_has_none() -> None:
    entry = StatisticEntry.of_statistic(Statistic("k", "K", 0.5, (), 3, "m", "s", p_value=0.04, note="few"))
    assert (entry.interval, entry.interval_method, entry.other_intervals) == (None, None, ())
    assert (entry.p_value, entry.note) == (0.04, "few")


@pytest.mark.parametrize(
    ("context", "place"),
    [
        ({"cutoff": "10"}, "10"),
        ({"scale": "CPS"}, "CPS"),
        ({"cutoff": "1", "scale": "CPS"}, "1"),
        ({}, ""),
    ],
)
def test_the_place_of_a_number_is_its_cut_off_else_its_scale(context: dict[str, str], place: str) -> None:
    assert (
        StatisticEntry.of_statistic(Statistic("k", "K", 1.0, (), 3, "m", "s", context=context)).place == place
    )
    entry = PairwiseEntry(measure="kappa", readers=("a", "b"), values=((None, 0.5), (0.5, None)), **context)
    assert entry.place == place
