"""From the files of variants and targets to the burden: what once gave a wrong number without a word."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.tmb import TmbRequest, tmb_document
from cxpath.errors import ConfigurationError, VariantsFileError
from cxpath.io.variants import REQUIRED
from cxpath.patient.tmb import Circumstances
from tests.io.variant_files import csq, vcf

CALL = "GT:AD:DP 0/1:60,40:100"
MISSENSE = f"PASS CSQ=T|missense_variant|MODERATE {CALL}"
VEP = csq("IMPACT")


def burden(path: Path, preset: str = "wes_nonsyn", **options: Any) -> dict[str, Any]:
    sizes = {} if "bed" in options else {"megabases": 1.0}
    document = tmb_document(TmbRequest(variants=path, preset=preset, **(sizes | options)))
    return document.model_dump(mode="json", by_alias=True)


def missense_calls(folder: Path, chromosome: str = "chr1", count: int = 10) -> Path:
    lines = [f"{chromosome} {1000 + 10 * n} . C T . {MISSENSE}" for n in range(count)]
    return vcf(folder, lines, header=(VEP,))


def targets(folder: Path, text: str) -> Path:
    path = folder / "panel.bed"
    path.write_text(text, encoding="utf-8")
    return path


def cohort(folder: Path, *rows: tuple[str, ...], more: tuple[str, ...] = ()) -> Path:
    path = folder / "cohort.maf"
    path.write_text("\n".join("\t".join(row) for row in ((*REQUIRED, *more), *rows)) + "\n", encoding="utf-8")
    return path


def maf_row(position: int, *more: str, sample: str = "S1", chromosome: str = "1") -> tuple[str, ...]:
    return (chromosome, str(position), "C", "T", "Missense_Mutation", sample, *more)


@pytest.mark.parametrize("name", ["chr1", "1", "CHR1", "NC_000001.11", "CM000663.2"])
@pytest.mark.parametrize("called", ["chr1", "NC_000001.11"])
def test_targets_and_variants_agree_however_chromosomes_are_named(
    tmp_path: Path, name: str, called: str
) -> None:
    path = missense_calls(tmp_path, called)
    found = burden(path, bed=targets(tmp_path, f"{name}\t0\t1000000\n"))
    assert (found["value"], found["variants"]) == (10.0, 10)


@pytest.mark.parametrize("name", ["chr7", "contig_1", "NC_000007.14"])
def test_targets_on_no_chromosome_of_the_file_are_refused(tmp_path: Path, name: str) -> None:
    panel = targets(tmp_path, f"{name}\t0\t1000000\n")
    with pytest.raises(VariantsFileError, match=r"panel\.bed: contains no chromosome of .*calls\.vcf"):
        burden(missense_calls(tmp_path), bed=panel)


def test_a_sample_without_variants_on_the_targets_is_0_where_the_file_has_their_chromosome(
    tmp_path: Path,
) -> None:
    path = cohort(tmp_path, maf_row(5), maf_row(5, sample="S2", chromosome="2"))
    found = burden(path, bed=targets(tmp_path, "chr1\t0\t1000000\n"), sample="S2")
    assert found["variants"] == 0
    assert burden(missense_calls(tmp_path), bed=targets(tmp_path, "chr2\t0\t1000000\n"))["variants"] == 0


def test_a_chromosome_that_the_header_lists_without_length_is_one_of_the_file(tmp_path: Path) -> None:
    path = missense_calls(tmp_path)
    text = path.read_text(encoding="utf-8").replace("<ID=chr2,length=242193529>", "<ID=chr2>")
    path.write_text(text, encoding="utf-8")
    assert burden(path, bed=targets(tmp_path, "chr2\t0\t1000000\n"))["variants"] == 0


def test_targets_where_no_variant_can_be_found_are_named(tmp_path: Path) -> None:
    panel = targets(tmp_path, "chr1\t0\t1000000\nchrUn_1\t0\t500000\n")
    first = burden(missense_calls(tmp_path), bed=panel)["warnings"][0]
    assert first.startswith("0.5 of the BED's 1.5 Mb lie on chromosomes that the file of variants does not")


def test_targets_of_another_assembly_are_refused_by_their_accessions(tmp_path: Path) -> None:
    panel = targets(tmp_path, "NC_000001.10\t0\t1000000\n")
    with pytest.raises(VariantsFileError, match=r"is of GRCh37, but .* is of GRCh38"):
        burden(missense_calls(tmp_path), bed=panel)


@pytest.mark.parametrize("name", ["calls.vcf.gz", "calls.gz", "download"])
def test_gzipped_variants_are_read_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    packed = tmp_path / name
    packed.write_bytes(gzip.compress(missense_calls(tmp_path).read_bytes()))
    assert burden(packed)["value"] == 10.0


@pytest.mark.parametrize("name", ["CSQ", "ANN", "vep"])
def test_the_name_of_vep_s_field_makes_no_difference(tmp_path: Path, name: str) -> None:
    path = missense_calls(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("CSQ", name), encoding="utf-8")
    assert burden(path)["value"] == 10.0


def test_two_alleles_of_a_line_count_like_two_lines(tmp_path: Path) -> None:
    entries = "CSQ=-|frameshift_variant|HIGH,G|missense_variant|MODERATE"
    lines = [
        f"chr1 {1000 + 10 * n} . CA C,CG . PASS {entries} GT:AD:DP 0/1/2:40,30,30:100" for n in range(10)
    ]
    assert burden(vcf(tmp_path, lines, header=(VEP,)))["value"] == 20.0


def test_a_deletion_by_name_is_left_out_at_a_step_of_its_own(tmp_path: Path) -> None:
    lines = [
        f"chr1 100 . A <DEL> . PASS CSQ=deletion|transcript_ablation|HIGH {CALL}",
        f"chr1 900 . A T . {MISSENSE}",
    ]
    found = burden(vcf(tmp_path, lines, header=(VEP,)))
    assert found["variants"] == 1
    assert {step["step"]: step["removed"] for step in found["funnel"]}["no structural variant"] == 1


def test_germline_rows_of_a_maf_do_not_count(tmp_path: Path) -> None:
    statuses = ["Somatic"] * 5 + ["Germline"] * 17 + ["LOH", "None", "Wildtype"]
    rows = [maf_row(1000 + n, status) for n, status in enumerate(statuses)]
    found = burden(
        cohort(tmp_path, *rows, more=("Mutation_Status",)), circumstances=Circumstances(matched_normal=True)
    )
    assert found["value"] == 5.0
    assert {step["step"]: step["removed"] for step in found["funnel"]}["somatic (Mutation_Status)"] == 20


@pytest.mark.parametrize("end", ["", ".0", ".00"])
def test_depths_as_floats_filter_like_whole_numbers(tmp_path: Path, end: str) -> None:
    support = [("100", "40", "60")] * 5 + [("9", "1", "8")] * 20
    rows = [maf_row(1000 + n, *(number + end for number in row)) for n, row in enumerate(support)]
    assert burden(cohort(tmp_path, *rows, more=("t_depth", "t_alt_count", "t_ref_count")))["value"] == 5.0


def test_a_filter_that_was_not_applied_is_the_first_warning(tmp_path: Path) -> None:
    found = burden(cohort(tmp_path, maf_row(5)))
    assert "depth ≥ 25" in found["not_applied"]
    assert "not applied" in found["warnings"][0]
    assert "depth ≥ 25" in found["warnings"][0]


@pytest.mark.parametrize("megabases", [float("nan"), float("inf"), -1.0, 0.0, 35_000_000.0])
def test_an_impossible_size_is_refused(tmp_path: Path, megabases: float) -> None:
    with pytest.raises(ConfigurationError, match="--megabases must be above 0 and at most 3200"):
        burden(missense_calls(tmp_path), megabases=megabases)


@pytest.mark.parametrize("purity", [float("nan"), -0.1, 40.0])
def test_an_impossible_purity_is_refused(tmp_path: Path, purity: float) -> None:
    with pytest.raises(ConfigurationError, match="--purity"):
        burden(missense_calls(tmp_path), circumstances=Circumstances(purity=purity))


MNV = "chr1 100 . AC GT . PASS CSQ=GT|missense_variant|MODERATE"
SNVS = (
    "chr1 100 . A G . PASS CSQ=G|missense_variant|MODERATE",
    "chr1 101 . C T . PASS CSQ=T|missense_variant|MODERATE",
)


@pytest.mark.parametrize("order", [1, -1])
def test_neighbouring_exchanges_written_as_one_and_one_by_one_count_once(tmp_path: Path, order: int) -> None:
    path = vcf(tmp_path, [f"{line} {CALL}" for line in (MNV, *SNVS)][::order], header=(VEP,))
    found = burden(path)
    assert found["variants"] == 1
    assert found["funnel"][-1]["removed"] == 2


def test_single_exchanges_stay_where_the_longer_one_does_not_count(tmp_path: Path) -> None:
    lines = [f"{MNV.replace('PASS', 'weak')} {CALL}", *(f"{line} {CALL}" for line in SNVS)]
    assert burden(vcf(tmp_path, lines, header=(VEP,)))["variants"] == 2


SNPEFF = (
    '##INFO=<ID=ANN,Number=.,Type=String,Description="Functional annotations: '
    "'Allele | Annotation | Annotation_Impact | Gene_Name'\">"
)


@pytest.mark.parametrize(("term", "said"), [("synonymous_variant", 3), ("missense_variant", 0)])
def test_two_annotations_that_contradict_each_other_are_named(tmp_path: Path, term: str, said: int) -> None:
    both = f"PASS CSQ=T|{term}|LOW;ANN=T|missense_variant|MODERATE|G {CALL}"
    path = vcf(tmp_path, [f"chr1 {n} . C T . {both}" for n in (100, 200, 300)], header=(VEP, SNPEFF))
    found = burden(path)
    assert found["variants"] == (0 if said else 3)
    warned = [text for text in found["warnings"] if "CSQ and ANN state different" in text]
    assert warned == [
        f"INFO CSQ and ANN state different consequences of {said} variants; INFO CSQ counts"
    ] * bool(said)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chr1\t0\t900\tG\t0\t+\t0\t900\t0\t2\t100,100,\t0,800,", "line 1 consists of 2 blocks"),
        ("chr1\t0\t900\tNO_COVERAGE", "line 1 is NO_COVERAGE"),
        ("chr1\t0\t900\tlow_coverage", "line 1 is low_coverage"),
    ],
)
def test_targets_whose_further_columns_take_bases_away_are_refused(
    tmp_path: Path, line: str, words: str
) -> None:
    with pytest.raises(VariantsFileError, match=words):
        burden(missense_calls(tmp_path), bed=targets(tmp_path, f"{line}\n"))


@pytest.mark.parametrize(
    "line", ["chr1\t0\t1000000\tCALLABLE", "chr1\t0\t1000000\tG\t0\t+\t0\t1000000\t0\t1\t1000000,\t0,"]
)
def test_targets_that_mean_all_of_their_bases_are_read(tmp_path: Path, line: str) -> None:
    assert burden(missense_calls(tmp_path), bed=targets(tmp_path, f"{line}\n"))["value"] == 10.0


@pytest.mark.parametrize("name", ["1.0", "chr1.0"])
def test_a_chromosome_as_pandas_writes_it_is_the_chromosome(tmp_path: Path, name: str) -> None:
    path = cohort(tmp_path, *(maf_row(n, chromosome=name) for n in (5, 6)), maf_row(7, chromosome="X"))
    assert burden(path, bed=targets(tmp_path, "1\t0\t1000000\n"))["variants"] == 2


@pytest.mark.parametrize("name", ["", "NA", "."])
def test_a_row_without_a_chromosome_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(VariantsFileError, match="line 3 has no Chromosome"):
        burden(cohort(tmp_path, maf_row(5), maf_row(6, chromosome=name)))


@pytest.mark.parametrize("entry", ["0,001", "0.1%", "1.5", "-0.1", "rare", "\u00b2", "1_0"])
def test_what_is_no_frequency_in_a_database_is_refused_by_name(tmp_path: Path, entry: str) -> None:
    """Else the filter of germline variants would pass over them without a word."""
    path = cohort(tmp_path, maf_row(5, entry), more=("gnomAD_AF",))
    with pytest.raises(VariantsFileError, match=r"cohort.maf: S1: gnomAD_AF '.*' is no frequency"):
        burden(path)


@pytest.mark.parametrize(("entry", "right"), [("T:0.02", 0), ("0.0001&0.02", 0), ("1e-05", 1), ("inf", 1)])
def test_frequencies_as_annotators_write_them_are_read(tmp_path: Path, entry: str, right: int) -> None:
    path = cohort(tmp_path, maf_row(5, entry, "0"), more=("gnomAD_AF", "COSMIC_CNT"))
    assert burden(path, "f1cdx_like")["variants"] == right
