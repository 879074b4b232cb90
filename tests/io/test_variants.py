from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cxpath.data.variants import Consequence, Known
from cxpath.errors import MissingFileError, VariantsFileError
from cxpath.io.variants import REQUIRED, assembly_in, assembly_of, read_bed, read_maf


def bed(folder: Path, text: str, name: str = "panel.bed") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_100_and_150_bases_are_250_and_overlaps_count_once(tmp_path: Path) -> None:
    assert read_bed(bed(tmp_path, "chr1\t0\t100\nchr1\t200\t350\n")).bases == 250
    overlapping = "chr1\t0\t100\nchr1\t50\t100\tgene\n1\t200\t350\nchr1\t340\t350\n"
    assert read_bed(bed(tmp_path, overlapping)).bases == 250


def test_headers_are_passed_over_and_name_the_assembly(tmp_path: Path) -> None:
    text = "# a panel\ntrack name=panel db=hg19\nbrowser position chr1\nchr1\t5\t6\n"
    found = read_bed(bed(tmp_path, text))
    assert (found.bases, found.assembly) == (1, "GRCh37")
    assert read_bed(bed(tmp_path, "1\t5\t6\n", "panel.hg38.bed")).assembly == "GRCh38"


@pytest.mark.parametrize(
    ("text", "assembly"),
    [
        ("panel_hg18.bed", "NCBI36"),
        ("36", "NCBI36"),
        ("panel of 36 genes.bed", None),
        ("chm13v2.0.fa", "T2T-CHM13"),
        ("exome.hs1.bed", "T2T-CHM13"),
        ("T2T-CHM13 lifted from GRCh38", None),
        ("patient2tumour_hs10.bed", None),
    ],
)
def test_older_and_newer_assemblies_are_known_by_name(text: str, assembly: str | None) -> None:
    assert assembly_in(text) == assembly


@pytest.mark.parametrize(
    ("length", "assembly"), [(247_249_719, "NCBI36"), (248_387_328, "T2T-CHM13"), (9, None)]
)
def test_assemblies_are_known_by_the_length_of_chromosome_1(length: int, assembly: str | None) -> None:
    assert assembly_of({"1": length}) == assembly


def test_a_gzipped_bed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "panel.bed.gz"
    path.write_bytes(gzip.compress(b"chr1\t0\t10\n"))
    assert read_bed(path).bases == 10


@pytest.mark.parametrize(
    "line",
    [
        "chr1\t100",
        "chr1\ta\tb",
        "chr1\t9\t9",
        "chr1\t-5\t9",
        f"chr1\t5\t{10**30}",
        "chr1\t1_0\t9_0",
        "chr1\t1.0\t9.0",
    ],
)
def test_a_line_that_is_no_interval_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(VariantsFileError, match="line 2"):
        read_bed(bed(tmp_path, f"chr1\t0\t10\n{line}\n"))


def test_no_file_and_no_interval(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_bed(tmp_path / "none.bed")
    with pytest.raises(VariantsFileError, match="no interval"):
        read_bed(bed(tmp_path, "# nothing\n"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_a_bed_end_at_line_ends_only(tmp_path: Path, end: str) -> None:
    lines = ["chr1\t0\t10\tgene\u2028one", "chr1\t20\t30\tgene\u0085two", ""]
    assert read_bed(bed(tmp_path, end.join(lines))).bases == 20


def test_refseq_names_are_chromosomes_and_name_the_assembly(tmp_path: Path) -> None:
    found = read_bed(bed(tmp_path, "NC_000001.11\t0\t10\nNC_000023.11\t0\t5\n"))
    assert (set(found.bounds), found.assembly) == ({"1", "X"}, "GRCh38")
    assert read_bed(bed(tmp_path, "NC_000001.10\t0\t10\n")).assembly == "GRCh37"


MORE = ("t_depth", "t_alt_count", "FILTER", "gnomAD_AF", "NCBI_Build", "Matched_Norm_Sample_Barcode")
ROW = ("chr1", "100", "A", "G", "Missense_Mutation", "T1", "80", "20", "PASS", "0.0001", "37", "N1")


def maf(folder: Path, *rows: tuple[str, ...], columns: tuple[str, ...] = (*REQUIRED, *MORE)) -> Path:
    path = folder / "cohort.maf"
    lines = ["#version 2.4", *("\t".join(row) for row in (columns, *rows))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_with_all_that_it_states(tmp_path: Path) -> None:
    (sample,) = read_maf(maf(tmp_path, ROW))
    (variant,) = sample.variants
    assert (variant.chromosome, variant.position, variant.consequence) == (
        "1",
        100,
        Consequence.NON_SYNONYMOUS,
    )
    assert (variant.depth, variant.allele_fraction, variant.germline_frequency) == (80, 0.25, 0.0001)
    assert (sample.matched_normal, sample.assembly) == (True, "GRCh37")
    assert {Known.DEPTH, Known.ALLELE_FRACTION, Known.FILTER, Known.GERMLINE_FREQUENCY} <= sample.known


def test_samples_are_kept_apart_in_the_order_of_the_file(tmp_path: Path) -> None:
    other = (*ROW[:5], "T0", *ROW[6:])
    found = read_maf(maf(tmp_path, ROW, other, ROW))
    assert [(one.sample, len(one.variants)) for one in found] == [("T1", 2), ("T0", 1)]


@pytest.mark.parametrize(("entry", "right"), [("9.0", 9), ("9.", 9), ("9", 9), (" 9 ", 9)])
def test_counts_as_pandas_writes_them(tmp_path: Path, entry: str, right: int) -> None:
    (sample,) = read_maf(maf(tmp_path, (*ROW[:7], entry, *ROW[8:])))
    assert sample.variants[0].alternate_reads == right


@pytest.mark.parametrize("entry", ["", ".", "NA", "nan", "NaN", "N/A", "None", "null", "-"])
def test_what_stands_for_no_number_is_none(tmp_path: Path, entry: str) -> None:
    row = (*ROW[:6], entry, entry, "PASS", entry, "37", "N1")
    (variant,) = read_maf(maf(tmp_path, row))[0].variants
    assert (variant.depth, variant.alternate_reads, variant.germline_frequency) == (None, None, None)


@pytest.mark.parametrize("column", ["gnomAD_AC", "COSMIC_CNT", "gnomAD_AF"])
@pytest.mark.parametrize("entry", ["NaN", "inf", "-inf", "1e999"])
def test_counts_of_databases_that_are_no_numbers_are_none(tmp_path: Path, column: str, entry: str) -> None:
    (variant,) = read_maf(maf(tmp_path, (*ROW[:6], entry), columns=(*REQUIRED, column)))[0].variants
    assert (variant.germline_count, variant.cosmic_count, variant.germline_frequency) == (None, None, None)


@pytest.mark.parametrize("entry", ["20%", "24.22", "\u00b2", "\u0663", "-1", "1e3", "many", "9" * 5000])
def test_what_is_no_number_of_reads_is_named(tmp_path: Path, entry: str) -> None:
    with pytest.raises(VariantsFileError, match=r"t_depth .* of T1 is not a number of reads"):
        read_maf(maf(tmp_path, (*ROW[:6], entry, *ROW[7:])))


@pytest.mark.parametrize(
    ("status", "somatic"),
    [
        ("Somatic", True),
        ("SOMATIC", True),
        ("Germline", False),
        ("LOH", False),
        ("None", False),
        ("Wildtype", False),
        ("Wild type", False),
        ("Post-transcriptional modification", False),
        ("", None),
        ("NA", None),
        ("Unknown", None),
    ],
)
def test_the_mutation_status_says_what_is_somatic(tmp_path: Path, status: str, somatic: bool | None) -> None:
    (sample,) = read_maf(maf(tmp_path, (*ROW[:6], status), columns=(*REQUIRED, "Mutation_Status")))
    assert sample.variants[0].somatic is somatic
    assert (sample.status_field, sample.cautions) == ("Mutation_Status", ())


def test_a_status_of_no_vocabulary_is_kept_and_named(tmp_path: Path) -> None:
    (sample,) = read_maf(maf(tmp_path, (*ROW[:6], "maybe"), columns=(*REQUIRED, "Mutation_Status")))
    assert sample.variants[0].somatic is None
    assert any("maybe (1)" in caution for caution in sample.cautions)


NON, SYN, NOT = Consequence.NON_SYNONYMOUS, Consequence.SYNONYMOUS, Consequence.NON_CODING


def with_class(folder: Path, *names: str) -> Path:
    return maf(folder, *[(*ROW[:4], name, "T1") for name in names], columns=REQUIRED)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        *((name, NON) for name in ("missense", "nonsense", "frameshift", "nonsynonymous SNV", "stopgain")),
        *((name, NON) for name in ("frameshift deletion", "nonframeshift insertion", "splicing", "stoploss")),
        *(
            (name, NON)
            for name in ("Start_Codon_SNP", "Start_Codon_Ins", "Stop_Codon_Del", "START_CODON_DEL")
        ),
        *((name, NON) for name in ("missense_variant&splice_region_variant", "splice_acceptor_variant")),
        *((name, SYN) for name in ("synonymous SNV", "synonymous_variant", "stop_retained_variant")),
        *(
            (name, NOT)
            for name in ("De_novo_Start_InFrame", "De_novo_Start_OutOfFrame", "intronic", "Fusion")
        ),
    ],
)
def test_classes_of_other_vocabularies_are_mapped_and_named(
    tmp_path: Path, name: str, right: Consequence
) -> None:
    (sample,) = read_maf(with_class(tmp_path, name))
    assert sample.variants[0].consequence is right
    assert any(f"{name} as {right} (1)" in caution for caution in sample.cautions)


@pytest.mark.parametrize(
    ("name", "right"),
    [("missense_mutation", NON), ("Nonsense_Mutation ", NON), ('"Silent"', SYN), ("3'UTR", NOT)],
)
def test_maf_s_own_classes_are_known_in_any_case_and_quotation(
    tmp_path: Path, name: str, right: Consequence
) -> None:
    (sample,) = read_maf(with_class(tmp_path, name))
    assert sample.variants[0].consequence is right
    assert sample.cautions == ()


@pytest.mark.parametrize("name", ["", "NaN", "protein change", "missense_variant&oops"])
def test_a_class_of_no_vocabulary_is_refused_with_its_number(tmp_path: Path, name: str) -> None:
    with pytest.raises(VariantsFileError, match=rf"no known vocabulary: {name or 'no entry'} \(2\)"):
        read_maf(with_class(tmp_path, "Silent", name, name))


def test_blanks_and_invisible_letters_around_names_are_no_part_of_them(tmp_path: Path) -> None:
    columns = (*REQUIRED[:5], f" {REQUIRED[5]} ", "t_depth\ufeff")
    rows = [(*ROW[:5], name, "80") for name in ("T1", "T1 ", "\u00a0T1", "T1\u200b")]
    (sample,) = read_maf(maf(tmp_path, *rows, columns=columns))
    assert (sample.sample, [one.depth for one in sample.variants]) == ("T1", [80] * 4)


@pytest.mark.parametrize("name", ["t1", "T\u200b1", "\uff341", "T 1"])
def test_samples_whose_names_look_alike_are_asked_about(tmp_path: Path, name: str) -> None:
    with pytest.raises(VariantsFileError, match="differ by case or invisible letters only"):
        read_maf(maf(tmp_path, ROW, (*ROW[:5], name, *ROW[6:])))


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VariantsFileError, match="no variant in the file"):
        read_maf(maf(tmp_path))


def test_a_row_without_a_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VariantsFileError, match="line 3 has no Tumor_Sample_Barcode"):
        read_maf(maf(tmp_path, (*ROW[:5], " ", *ROW[6:])))


@pytest.mark.parametrize("inside", ["\u0085", "\u2028", "\x0c", "\x1c"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_at_line_ends_only(tmp_path: Path, inside: str, end: str) -> None:
    path = tmp_path / "cohort.maf"
    rows = [("Hugo_Symbol", *REQUIRED), *[(f"G{inside}X", *ROW[:6])] * 3]
    path.write_bytes(end.join("\t".join(row) for row in rows).encode())
    assert len(read_maf(path)[0].variants) == 3


def test_a_long_entry_is_read(tmp_path: Path) -> None:
    columns = (*REQUIRED, "Comment")
    assert len(read_maf(maf(tmp_path, (*ROW[:6], "x" * 200_000), columns=columns))) == 1


def test_a_row_longer_than_the_header_is_refused_and_a_shorter_one_filled(tmp_path: Path) -> None:
    assert read_maf(maf(tmp_path, ROW[:7]))[0].variants[0].alternate_reads is None
    with pytest.raises(VariantsFileError, match="line 3 has 13 entries, the header 12"):
        read_maf(maf(tmp_path, (*ROW, "more")))


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VariantsFileError, match="the column t_depth is there twice"):
        read_maf(maf(tmp_path, (*ROW[:6], "8", "9"), columns=(*REQUIRED, "t_depth", "t_depth")))


def test_the_case_of_a_column_s_name_makes_no_difference(tmp_path: Path) -> None:
    columns = tuple(name.lower() for name in REQUIRED)
    assert read_maf(maf(tmp_path, ROW[:6], columns=columns))[0].variants[0].position == 100


@pytest.mark.parametrize(
    ("reference", "alternate", "place"),
    [
        ("A", "-", ("1", 100, "A", "")),
        ("-", "T", ("1", 101, "", "T")),
        ("A", "G", ("1", 100, "A", "G")),
        ("CA", "C", ("1", 101, "A", "")),
    ],
)
def test_alleles_are_those_of_a_vcf(
    tmp_path: Path, reference: str, alternate: str, place: tuple[str, int, str, str]
) -> None:
    row = (*ROW[:2], reference, alternate, *ROW[4:])
    assert read_maf(maf(tmp_path, row))[0].variants[0].trimmed().place == place


def test_the_first_allele_is_taken_where_the_second_is_the_reference(tmp_path: Path) -> None:
    row = ("1", "100", "A", "A", "Silent", "T1", "G")
    (variant,) = read_maf(maf(tmp_path, row, columns=(*REQUIRED, "Tumor_Seq_Allele1")))[0].variants
    assert variant.alternate == "G"
    (same,) = read_maf(maf(tmp_path, row[:6], columns=REQUIRED))[0].variants
    assert not same.is_countable


@pytest.mark.parametrize("alternate", ["NaN", "", "Q", "deletion"])
def test_what_is_no_allele_is_refused(tmp_path: Path, alternate: str) -> None:
    with pytest.raises(VariantsFileError, match="are not alleles"):
        read_maf(maf(tmp_path, (*ROW[:3], alternate, *ROW[4:])))


@pytest.mark.parametrize("position", ["1e8", "1.5", "\u0661", "100 bp", "9" * 5000])
def test_a_position_that_may_have_lost_digits_is_refused(tmp_path: Path, position: str) -> None:
    with pytest.raises(VariantsFileError, match="is not a position"):
        read_maf(maf(tmp_path, (ROW[0], position, *ROW[2:])))


def test_rows_of_two_assemblies_are_refused(tmp_path: Path) -> None:
    other = (*ROW[:10], "GRCh38", ROW[11])
    with pytest.raises(VariantsFileError, match="NCBI_Build of T1 is GRCh37 and GRCh38"):
        read_maf(maf(tmp_path, ROW, other))


def test_oncotator_s_fraction_is_read(tmp_path: Path) -> None:
    (sample,) = read_maf(maf(tmp_path, (*ROW[:6], "0.34"), columns=(*REQUIRED, "tumor_f")))
    assert sample.variants[0].allele_fraction == 0.34
    assert Known.ALLELE_FRACTION in sample.known
    with pytest.raises(VariantsFileError, match="tumor_f '34' of T1 is not an allele fraction"):
        read_maf(maf(tmp_path, (*ROW[:6], "34"), columns=(*REQUIRED, "tumor_f")))


def test_columns_that_are_not_there_are_not_known(tmp_path: Path) -> None:
    (sample,) = read_maf(maf(tmp_path, ROW[:6], columns=REQUIRED))
    assert sample.known == frozenset({Known.CONSEQUENCE})
    assert sample.matched_normal is None


@pytest.mark.parametrize("lacking", REQUIRED)
def test_a_missing_column_is_named(tmp_path: Path, lacking: str) -> None:
    columns = tuple(name for name in REQUIRED if name != lacking)
    with pytest.raises(VariantsFileError, match=f"no column {lacking}"):
        read_maf(maf(tmp_path, columns=columns))


def test_an_entry_that_is_no_position_is_named(tmp_path: Path) -> None:
    with pytest.raises(VariantsFileError, match="'x' of T1 is not a position"):
        read_maf(maf(tmp_path, (ROW[0], "x", *ROW[2:])))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chr1\t901\t2000\t+\tt1\n", "strand in column 4"),
        ("track name=Targets\nchr1\t9\t19\ntrack name=Tiled\nchr1\t5\t29\n", "contains 2 tracks"),
        ("chr1\t0\t10\t0\nchr1\t10\t20\t120\n", r"contains depths \(column 4\)"),
        ("track type=bedGraph\nchr1\t0\t10\t5\n", r"contains depths \(column 4\)"),
    ],
)
def test_files_of_another_kind_than_targets_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "panel.bed"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(VariantsFileError, match=words):
        read_bed(path)


@pytest.mark.parametrize(
    "text",
    [
        "track name=x\nchr1\t0\t10\tTP53\t0\t+\n",
        "chr1\t0\t10\t1\nchr1\t20\t30\t2\n",
        "chr1\t0\t10\t0\t5\t+\n",
    ],
)
def test_names_numbers_and_strands_of_targets_are_no_depths(tmp_path: Path, text: str) -> None:
    path = tmp_path / "panel.bed"
    path.write_text(text, encoding="utf-8")
    assert read_bed(path).bases >= 10


@pytest.mark.parametrize(
    ("column", "entry", "words"),
    [
        (
            "GDC_FILTER",
            "common_in_exac",
            "GDC_FILTER casts doubt on rows, which are kept: common_in_exac (1)",
        ),
        (
            "Validation_Status",
            "Wildtype",
            "Validation_Status casts doubt on rows, which are kept: Wildtype (1)",
        ),
        ("GDC_FILTER", "", ""),
        ("Validation_Status", "Untested", ""),
    ],
)
def test_columns_that_cast_doubt_on_rows_are_named(
    tmp_path: Path, column: str, entry: str, words: str
) -> None:
    (found,) = read_maf(maf(tmp_path, (*ROW, entry), columns=(*REQUIRED, *MORE, column)))
    assert found.cautions == ((words,) if words else ())


def test_a_row_without_a_change_is_named(tmp_path: Path) -> None:
    row = (*ROW[:3], ROW[2], *ROW[4:], ROW[2])
    (found,) = read_maf(maf(tmp_path, row, columns=(*REQUIRED, *MORE, "Tumor_Seq_Allele1")))
    assert found.cautions == (
        "1 row states the reference as both of the tumour's alleles, which is not a variant",
    )
