"""`cxpath therapy` as a user meets it.
`cxpath tmb` as a user meets it, on published data and on drawn files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from statistics import median

import pytest

import cxpath as api
from cxpath.data.settings import bundled
from tests.cli.command import cxpath
from tests.io.variant_files import vcf

WORKED = bundled("configs") / "profile" / "worked_case.toml"


def test_a_template_is_written_once_and_reviewed_to_nothing_met(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    assert cxpath("therapy", "init", profile).returncode == 0
    assert "is there already" in cxpath("therapy", "init", profile).only_line
    without = cxpath("therapy", "review", profile, "--out", tmp_path / "out")
    assert without.returncode == 2
    assert "no jurisdiction is stated" in without.only_line
    assert "--jurisdiction us|eu|jp|cn" in without.only_line
    done = cxpath("therapy", "review", profile, "--out", tmp_path / "out", "--jurisdiction", "us")
    assert done.returncode == 0, done.stderr
    assert "criteria met, each needs confirmation (0)" in done.stdout
    assert "not met (0)" in done.stdout
    assert not (tmp_path / "out" / "patient.html").exists()
    assert "For Research Use Only. Not for use in diagnostic procedures." in done.stdout


def test_a_template_for_a_jurisdiction_is_reviewed_by_its_criteria(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    assert cxpath("therapy", "init", profile, "--jurisdiction", "eu").returncode == 0
    done = cxpath("therapy", "review", profile, "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["jurisdictions"] == ["eu"]
    wrong = cxpath("therapy", "init", tmp_path / "other.toml", "--jurisdiction", "mars")
    assert (wrong.returncode, (tmp_path / "other.toml").exists()) == (2, False)


def test_all_jurisdictions_are_had_on_request_but_no_sheet_of_several(tmp_path: Path) -> None:
    done = cxpath("therapy", "review", WORKED, "--out", tmp_path / "out", "--jurisdiction", "all", "--json")
    assert json.loads(done.stdout)["jurisdictions"] == ["us", "eu", "jp", "cn"]
    several = cxpath(
        "therapy", "review", WORKED, "--out", tmp_path / "b", "--jurisdiction", "all", "--patient-sheet"
    )
    assert several.returncode == 2
    assert "for one jurisdiction" in several.only_line


def test_a_confirmation_in_the_future_or_by_nobody_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    for stated, words in (
        (
            'confirmed_by = "Dr A"\nconfirmed_on = 2999-01-01',
            "pdl1.0.confirmed_on: 2999-01-01 lies in the future",
        ),
        ('confirmed_by = "1"\nconfirmed_on = 2026-01-01', "pdl1.0.confirmed_by: must name the person"),
    ):
        profile.write_text(f'jurisdictions = ["us"]\n[[pdl1]]\nvalue = 3\n{stated}\n', encoding="utf-8")
        done = cxpath("therapy", "review", profile, "--out", tmp_path / "out")
        assert done.returncode == 1
        assert words in done.only_line


def test_a_criterion_is_explained_with_its_conditions_and_sources() -> None:
    done = cxpath("therapy", "explain", "us-larotrectinib")
    assert done.returncode == 0, done.stderr
    assert "asks     no NTRK resistance mutation" in done.stdout
    assert "NCT02576431" in done.stdout
    assert "accessed 2026-11-30" in done.stdout
    data = json.loads(cxpath("therapy", "explain", "us-larotrectinib", "--json").stdout)
    assert data["cited"][0]["kind"] == "label"
    wrong = cxpath("therapy", "explain", "us-larotrectini")
    assert wrong.returncode == 2
    assert "did you mean us-larotrectinib" in wrong.only_line


def test_the_worked_case_gives_page_sheet_and_json(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cxpath("therapy", "review", WORKED, "--out", out, "--patient-sheet", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((out / "therapy.json").read_text(encoding="utf-8"))
    verdicts = {one["id"]: one["verdict"] for one in document["criteria"]}
    assert verdicts["us-pembrolizumab-chemotherapy"] == "indeterminate"
    assert verdicts["us-pembrolizumab-tmb-high"] == "indeterminate"
    assert verdicts["us-bevacizumab-chemotherapy"] == "met"
    clause = document["criteria"][0]["clauses"][0]
    assert {"fact", "op", "value", "found", "verdict"} <= set(clause)
    board = (out / "board.html").read_text(encoding="utf-8")
    assert "14.5 %" in board
    assert "needs confirmation" in board
    assert "eligible" not in board
    assert "HPV16" in (out / "patient.html").read_text(encoding="utf-8")

    again = cxpath("therapy", "review", WORKED, "--out", out)
    assert "--overwrite" in again.only_line


def test_jurisdictions_are_chosen_and_checked(tmp_path: Path) -> None:
    done = cxpath("therapy", "review", WORKED, "--out", tmp_path, "--jurisdiction", "jp", "--json")
    places = {one["jurisdiction"] for one in json.loads(done.stdout)["criteria"]}
    assert places == {"jp", "any"}
    wrong = cxpath("therapy", "review", WORKED, "--out", tmp_path / "b", "--jurisdiction", "mars")
    assert wrong.returncode == 2
    assert "known jurisdictions: us, eu, jp, cn" in wrong.only_line


def test_an_error_in_the_profile_is_one_line_with_the_path_of_the_field(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text('[clinical]\nhistology = "plumber"\n', encoding="utf-8")
    done = cxpath("therapy", "review", profile, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "profile.toml: clinical.histology:" in done.only_line
    assert not (tmp_path / "out").exists()


def test_no_profile_is_one_line(tmp_path: Path) -> None:
    assert "no such file" in cxpath("therapy", "review", tmp_path / "no.toml", "--out", tmp_path).only_line


def test_lint_passes_and_fails_on_a_criterion_without_a_source(tmp_path: Path) -> None:
    done = cxpath("therapy", "lint")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("0 errors, ")
    text = (bundled("configs") / "therapy" / "jp.toml").read_text(encoding="utf-8")
    bad = tmp_path / "bad.toml"
    bad.write_text("\n".join(line for line in text.splitlines() if not line.startswith("sources")), "utf-8")
    failed = cxpath("therapy", "lint", bad)
    assert failed.returncode == 1
    assert "jp-cemiplimab: has no sources" in failed.stdout
    refused = cxpath("therapy", "review", WORKED, "--out", tmp_path / "out", "--criteria", bad)
    assert refused.returncode == 1
    assert "cxpath therapy lint" in refused.only_line


@pytest.mark.parametrize("form", ["path", "fields", "profile"])
def test_the_same_in_python(form: str) -> None:
    fields = {"clinical": {"setting": "recurrent", "histology": "squamous"}}
    forms: dict[str, Path | dict[str, dict[str, str]] | api.BiomarkerProfile] = {
        "path": WORKED,
        "fields": fields,
        "profile": api.BiomarkerProfile.model_validate(fields),
    }
    profile = forms[form]
    assert api.review_therapy(profile).by_id("us-bevacizumab-chemotherapy").verdict == "met"


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    csq = "CSQ=G|missense_variant|TP53|0.0002"
    return vcf(tmp_path, [f"chr1 {n} . A G . PASS {csq} GT:AD:DP 0/1:60,20:80" for n in range(1, 9)])


def _bed(folder: Path, text: str, name: str = "panel.bed") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_the_published_cohort_is_reproduced(data_dir: Path) -> None:
    maf = data_dir / "tmb" / "tcga_laml.maf.gz"
    done = cxpath("tmb", maf, "--preset", "wes_nonsyn", "--megabases", "50", "--json")
    assert done.returncode == 0, done.stderr
    samples = json.loads(done.stdout)["samples"]
    assert len(samples) == 193
    assert median(one["value"] for one in samples) == pytest.approx(0.18)
    assert {one["sample"]: one["value"] for one in samples}["TCGA-AB-3009"] == pytest.approx(0.68)
    assert sum(one["variants"] for one in samples) == 1732
    assert "depth ≥ 25" in samples[0]["not_applied"]
    table = cxpath("tmb", maf, "--preset", "wes_nonsyn", "--megabases", "50").stdout
    assert "193 samples, median 0.18 per Mb, WES-non-synonymous-like" in table

    one = cxpath("tmb", maf, "--preset", "wes_nonsyn", "--megabases", "50", "--sample", "TCGA-AB-3009").stdout
    assert "34 variants, 50 Mb" in one


@pytest.mark.parametrize("preset", ["wes_nonsyn", "msk_like"])
def test_an_unannotated_vcf_is_refused_with_the_reason(data_dir: Path, preset: str) -> None:
    path = data_dir / "tmb" / "T001-BRCA.grch38.vcf.gz"
    done = cxpath("tmb", path, "--preset", preset, "--megabases", "35")
    assert done.returncode == 1
    assert "carry no consequence (neither CSQ nor ANN)" in done.only_line
    assert "VEP" in done.only_line


def test_a_panel_by_its_bed(annotated: Path, tmp_path: Path) -> None:
    panel = _bed(tmp_path, "chr1\t0\t400000\nchr2\t0\t400000\nchr2\t0\t1000\n")
    done = cxpath(
        "tmb", annotated, "--bed", panel, "--preset", "f1cdx_like", "--out", tmp_path / "out", "--json"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result == json.loads((tmp_path / "out" / "tmb.json").read_text(encoding="utf-8"))
    assert (result["value"], result["variants"], result["megabases"]) == (pytest.approx(10.0), 8, 0.8)
    assert result["interval"] == pytest.approx([4.3, 19.7], abs=0.05)
    assert result["method"] == "F1CDx-like"
    assert result["not_reproduced"]
    words = cxpath("tmb", annotated, "--bed", panel, "--preset", "f1cdx_like").stdout
    assert "TMB      10.00 per Mb, F1CDx-like (95% interval 4.3 to 19.7)" in words
    assert "For Research Use Only" in words


def test_only_callable_bases_are_the_denominator(annotated: Path, tmp_path: Path) -> None:
    panel = _bed(tmp_path, "chr1\t0\t400000\n")
    deep = _bed(tmp_path, "chr1\t0\t200000\nchr1\t390000\t500000\n", "deep.bed")
    done = cxpath("tmb", annotated, "--bed", panel, "--callable", deep, "--preset", "msk_like", "--json")
    assert json.loads(done.stdout)["megabases"] == 0.21


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        ((), "pass --bed or --megabases", 2),
        (("--megabases", "0"), "above 0", 2),
        (("--megabases", "1", "--callable", "deep.bed"), "--callable needs --bed", 2),
        (("--megabases", "1", "--sample", "X"), "no sample 'X'", 1),
    ],
)
def test_what_is_unclear_is_one_line(
    annotated: Path, options: tuple[str, ...], words: str, code: int
) -> None:
    done = cxpath("tmb", annotated, "--preset", "msk_like", *options)
    assert done.returncode == code
    assert words in done.only_line


def test_an_unknown_preset_names_those_there_are(annotated: Path) -> None:
    done = cxpath("tmb", annotated, "--preset", "mine", "--megabases", "1")
    assert done.returncode == 2
    assert "f1cdx_like, msk_like, tso500_like, wes_nonsyn" in done.only_line


def test_a_panel_of_another_assembly_is_refused(annotated: Path, tmp_path: Path) -> None:
    by_name = _bed(tmp_path, "chr1\t0\t400000\n", "panel.hg19.bed")
    done = cxpath("tmb", annotated, "--bed", by_name, "--preset", "msk_like")
    assert "is of GRCh37, but" in done.only_line
    by_length = _bed(tmp_path, "chr1\t0\t249000000\n")
    done = cxpath("tmb", annotated, "--bed", by_length, "--preset", "msk_like")
    assert "beyond the end of chromosome 1" in done.only_line


def test_what_needs_another_annotation_is_refused(annotated: Path) -> None:
    done = cxpath("tmb", annotated, "--preset", "tso500_like", "--megabases", "1")
    assert done.returncode in {0, 1}
    stated = vcf(annotated.parent, ["chr1 9 . A G . PASS . GT:AD:DP 0/1:5,5:10"], header=())
    refused = cxpath("tmb", stated, "--preset", "f1cdx_like", "--megabases", "1")
    assert "carry no consequence" in refused.only_line


def test_warnings_stand_before_the_number(annotated: Path) -> None:
    unsupported = vcf(annotated.parent, ["chr1 9 . A G . PASS CSQ=G|missense_variant|X|"], samples=())
    lines = cxpath("tmb", unsupported, "--preset", "wes_nonsyn", "--megabases", "1").stdout.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("warning"))
    assert "not applied" in lines[first]
    assert first < next(at for at, line in enumerate(lines) if line.startswith("TMB"))


def test_warnings_of_some_samples_say_of_how_many(tmp_path: Path) -> None:
    columns = ("Chromosome", "Start_Position", "Reference_Allele", "Tumor_Seq_Allele2")
    rows = [
        (*columns, "Variant_Classification", "Tumor_Sample_Barcode"),
        ("1", "5", "C", "T", "missense", "S1"),
        ("1", "6", "C", "T", "Missense_Mutation", "S2"),
    ]
    path = tmp_path / "cohort.maf"
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
    shown = cxpath("tmb", path, "--preset", "wes_nonsyn", "--megabases", "1").stdout
    assert "warning  1 of 2 samples: Variant_Classification contains words that are not MAF's" in shown
    assert "warning  filters that were not applied" in shown


@pytest.mark.slow
def test_a_hundred_thousand_variants_are_counted_right(tmp_path: Path) -> None:
    rng = random.Random(5)
    kinds = ("missense_variant", "synonymous_variant", "intron_variant")
    drawn = [(n, rng.choice(kinds)) for n in range(1, 100_001)]
    lines = [f"chr1 {n} . A G . PASS CSQ=G|{kind}|X| GT:AD:DP 0/1:60,20:80" for n, kind in drawn]
    done = cxpath("tmb", vcf(tmp_path, lines), "--preset", "msk_like", "--megabases", "33", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["variants"] == sum(kind == "missense_variant" for _, kind in drawn)
