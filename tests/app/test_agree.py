"""From tables of reads to a study: which reads belong together, what is refused, what the document says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cxpath.agreement import AgreementSettings
from cxpath.app import agree
from cxpath.app.agree import (
    AgreementRequest,
    agreement_document,
    agreement_settings,
    compare,
    compare_reads,
    run_agreement,
    write_reads_template,
)
from cxpath.documents import AgreementDocument
from cxpath.errors import ConfigurationError, OutputError, ReadsFileError, StudyError
from cxpath.io import TIDY_COLUMNS, read_reads
from cxpath.io.tables import write_rows
from tests.cli.scored_folders import scored_folder
from tests.synthetic_cells import many

FEW = AgreementSettings(replicates=100, orders=20)
Row = tuple[object, ...]
ANN: list[Row] = [(f"c{case}", "Ann", case) for case in range(6)]
BOB: list[Row] = [(f"c{case}", "Bob", case + 0.5) for case in range(6)]
AI: list[Row] = [(f"c{case}", "AI", case) for case in range(5)]


def table(path: Path, rows: Sequence[Row], columns: tuple[str, ...] = ("case", "reader", "value")) -> Path:
    write_rows(path, columns, [tuple(map(str, row)) for row in rows])
    return path


def request(*reads: Path, **stated: object) -> AgreementRequest:
    return AgreementRequest(reads=reads, settings=FEW, **stated)  # type: ignore[arg-type]


def test_tables_are_taken_together(tmp_path: Path) -> None:
    study, joined = compare(request(table(tmp_path / "a.csv", ANN), table(tmp_path / "b.csv", BOB)))
    assert study.rounds[1].readers.readers == ("Ann", "Bob")
    assert len(joined.reads) == 12


def test_a_read_that_stands_in_two_tables_is_refused_with_both_places(tmp_path: Path) -> None:
    first, second = table(tmp_path / "a.csv", ANN), table(tmp_path / "b.csv", [*BOB, ("c3", "Ann", 7)])
    with pytest.raises(StudyError) as caught:
        compare(request(first, second))
    message = str(caught.value)
    assert "b.csv: row 8: case c3 was read by 'Ann' in round 1 in a.csv, too" in message
    assert "number the rounds" in caught.value.hint


def test_the_same_reader_in_another_round_or_of_another_score_is_another_read(tmp_path: Path) -> None:
    again = [(*row, 2) for row in ANN + BOB]
    later = table(tmp_path / "b.csv", again, ("case", "reader", "value", "round"))
    study, _ = compare(request(table(tmp_path / "a.csv", ANN + BOB), later))
    assert list(study.rounds) == [1, 2]


def test_hints_about_settings_fit_the_setting() -> None:
    with pytest.raises(ConfigurationError) as caught:
        agreement_settings(level=95)
    assert caught.value.hint == "0.95 is 95 %"


def test_a_name_that_is_nearly_anothers_is_refused_over_all_tables(tmp_path: Path) -> None:
    other = [(case, "ann", value) for case, _, value in BOB]
    with pytest.raises(
        ReadsFileError, match=r"a.csv and .*b.csv: reader 'Ann' \(row 2\) and 'ann' \(row 2\) differ only in"
    ):
        compare(request(table(tmp_path / "a.csv", ANN), table(tmp_path / "b.csv", other)))


SCORED = ("case", "reader", "value", "score")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (("CPS", "TPS"), "the tables contain several scores: CPS, TPS"),
        (("CPS", ""), "some reads are of score CPS and some of no stated score"),
    ],
)
def test_tables_that_name_no_single_score_are_refused(
    scores: tuple[str, str], said: str, tmp_path: Path
) -> None:
    rows = [(*row, score) for reader, score in zip((ANN, BOB), scores, strict=True) for row in reader]
    reads = table(tmp_path / "a.csv", rows, SCORED)
    with pytest.raises(StudyError, match=said) as caught:
        compare(request(reads))
    assert "--score" in caught.value.hint


def test_a_score_is_one_however_it_is_spelt(tmp_path: Path) -> None:
    rows = [(*row, score) for reader, score in ((ANN, "CPS"), (BOB, "cps")) for row in reader]
    study, joined = compare(request(table(tmp_path / "a.csv", rows, SCORED)))
    assert study.score.casefold() == "cps"
    assert not [one for one in joined.warnings if "score" in one.text]


def test_a_score_that_nobody_names_is_said_to_be_so(tmp_path: Path) -> None:
    reads = table(tmp_path / "a.csv", ANN + BOB)
    study, joined = compare(request(reads))
    assert study.score == "score"
    assert [one.text for one in joined.warnings] == [
        "the tables do not state the score that was read: pass --score to state it"
    ]
    named, quiet = compare(request(reads, score="TPS"))
    assert (named.score, quiet.warnings) == ("TPS", ())


def test_with_results_an_unnamed_score_is_compared_with_the_cps(tmp_path: Path) -> None:
    scored_folder(tmp_path / "results" / "c1", many({"T+": 10, "T-": 190}))
    reads = table(tmp_path / "a.csv", ANN + BOB)
    study, joined = compare(request(reads, results=(tmp_path / "results",)))
    assert (study.score, study.software) == ("CPS", "cxpath")
    assert "compared with cxpath's CPS" in joined.warnings[0].text
    for software, said in (("AI", "both results and software 'AI' were given"), ("cxpath", "")):
        asked = request(reads, results=(tmp_path / "results",), software=software)
        if said:
            with pytest.raises(StudyError, match=said):
                compare(asked)
        else:
            assert compare(asked)[0].software == "cxpath"


def test_no_reader_may_be_called_cxpath_beside_its_results(tmp_path: Path) -> None:
    scored_folder(tmp_path / "results" / "c1", many({"T+": 10, "T-": 190}))
    own: list[Row] = [(case, "cxpath", value) for case, _, value in BOB]
    reads = table(tmp_path / "a.csv", ANN + own)
    with pytest.raises(StudyError, match="a reader in the table is called 'cxpath'"):
        compare(request(reads, results=(tmp_path / "results",)))


# The document.


def document(tmp_path: Path, rows: list[Row], **stated: object) -> AgreementDocument:
    reads = table(tmp_path / "reads.csv", rows)
    study, joined = compare(request(reads, **stated))
    return agreement_document(study, [reads], joined.warnings, ["ab" * 32])


def test_the_document_names_its_tables_by_digest_and_no_folder(tmp_path: Path) -> None:
    found = document(tmp_path, ANN + BOB)
    digest = hashlib.sha256((tmp_path / "reads.csv").read_bytes()).hexdigest()
    assert [(one.name, one.digest) for one in found.sources] == [("reads.csv", digest)]
    assert found.provenance.model_digests == ("ab" * 32,)
    assert str(tmp_path) not in found.model_dump_json()
    assert {one.code for one in found.warnings} == {"reads_table", "caveat"}


def test_the_software_stands_last_among_the_readers_and_its_gaps_are_null(tmp_path: Path) -> None:
    found = document(tmp_path, AI + ANN + BOB, software="AI")
    (one,) = found.rounds
    assert one.readers == ("Ann", "Bob")
    assert {entry.readers for entry in one.pairwise} == {("Ann", "Bob", "AI")}
    assert one.compared is not None
    assert one.reference is not None
    assert dict(zip(one.units, one.compared.values, strict=True))["c5", ""] is None
    assert dict(zip(one.units, one.reference.values, strict=True))["c4", ""] == 4.25
    assert [(entry.measure, entry.place) for entry in one.pairwise] == [
        ("OPA", "≥ 1"),
        ("Cohen's kappa", "≥ 1"),
        ("OPA", "≥ 10"),
        ("Cohen's kappa", "≥ 10"),
        ("Lin's CCC", "log10(score + 1)"),
    ]
    by_place = {(entry.measure, entry.place): entry.values for entry in one.pairwise}
    assert by_place["OPA", "≥ 1"][0] == (1.0, 1.0, 1.0)
    assert by_place["Cohen's kappa", "≥ 10"][0][1] is None, "nobody reaches 10"


def test_a_single_reader_beside_software_has_no_curve_of_readers(tmp_path: Path) -> None:
    found = document(tmp_path, ANN + AI, software="AI", reference="Ann")
    (one,) = found.rounds
    assert (one.readers, one.onest, one.pairwise) == ((), (), ())
    alone = document(tmp_path, ANN + AI, software="AI")
    assert alone.rounds[0].onest == ()
    assert {entry.readers for entry in alone.rounds[0].pairwise} == {("Ann", "AI")}


def test_numbers_of_the_document_are_rounded_to_six_decimals(tmp_path: Path) -> None:
    thirds = [(f"c{case}", "Ann", f"{case + 1 / 3:.12f}") for case in range(6)]
    found = document(tmp_path, thirds + BOB)
    assert found.rounds[0].reference is not None
    assert found.rounds[0].reference.values[1] == 1.333333


# The folder of a study.


def test_a_study_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "agreement.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match="contains a study already"):
        run_agreement(request(tmp_path / "not even read.csv"), out)
    assert (out / "agreement.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OutputError("disk full", "")])
def test_a_study_whose_page_could_not_be_written_is_none_yet(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> Path:
        assert json.loads((folder / "agreement.json").read_text(encoding="utf-8"))["score"] == "score"
        raise stop

    monkeypatch.setattr(agree, "build_agreement_report", fail)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        run_agreement(request(table(tmp_path / "a.csv", ANN + BOB)), tmp_path / "out")
    assert not (tmp_path / "out" / "agreement.json").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="file"):
        run_agreement(request(table(tmp_path / "a.csv", ANN + BOB)), tmp_path / "file" / "out")


def test_the_function_takes_one_table_or_several_and_writes_nothing_by_itself(tmp_path: Path) -> None:
    both = table(tmp_path / "both.csv", ANN + BOB)
    parts: list[str | Path] = [str(table(tmp_path / "a.csv", ANN)), table(tmp_path / "b.csv", BOB)]
    before = sorted(tmp_path.iterdir())
    one, several = compare_reads(both, settings=FEW), compare_reads(parts, settings=FEW)
    opa = [study.find("opa", analysis="comparison", cutoff="≥ 1") for study in (one, several)]
    assert opa[0] == opa[1] is not None
    assert sorted(tmp_path.iterdir()) == before


# Settings and the template.


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"cutoffs": (10.0, 1.0)}, "cutoffs: Value error, cut-offs must rise from above 0"),
        ({"level": 1.5}, "level: Input should be less than 1"),
        ({"replicates": 3}, "replicates: Input should be greater than or equal to 100"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(stated: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        agreement_settings(**stated)
    assert agreement_settings(cutoffs=(1.0, 20.0)).cutoffs == (1.0, 20.0)


def test_the_template_has_a_row_for_every_case_and_reader_and_only_the_value_is_open(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    write_reads_template(path, cases=2, readers=2)
    assert [(read.case, read.reader, read.score, read.assay) for read in read_reads(path).reads] == [
        ("case001", "reader1", "CPS", "22c3"),
        ("case002", "reader1", "CPS", "22c3"),
        ("case001", "reader2", "CPS", "22c3"),
        ("case002", "reader2", "CPS", "22c3"),
    ]
    header = path.read_text(encoding="utf-8-sig").splitlines()[0]
    assert [name.strip('"') for name in header.split(",")] == list(TIDY_COLUMNS)
    with pytest.raises(OutputError, match="is there already"):
        write_reads_template(path)
    write_reads_template(path, cases=1, readers=1, overwrite=True)
    assert len(read_reads(path).reads) == 1
