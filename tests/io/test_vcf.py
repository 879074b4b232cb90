"""Depth, reads and fraction, from lines as each caller writes them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from cxpath.data.variants import Consequence, Known
from cxpath.errors import MissingFileError, VariantsFileError
from cxpath.io.vcf import read_vcf
from tests.io.variant_files import ANN, CSQ, vcf

SUPPORT = frozenset({Known.DEPTH, Known.ALTERNATE_READS, Known.ALLELE_FRACTION})


def declared_formats(**fields: str) -> str:
    """Return FORMAT lines from "Number Type" of each field."""
    lines = []
    for name, described in fields.items():
        number, kind = described.split()
        lines.append(f'##FORMAT=<ID={name},Number={number},Type={kind},Description="x">')
    return "\n".join(lines)


MUTECT2 = declared_formats(GT="1 String", AD="R Integer", AF="A Float", DP="1 Integer")
MUTECT1 = declared_formats(GT="1 String", AD=". Integer", FA="A Float", DP="1 Integer")
VARSCAN = declared_formats(
    GT="1 String", DP="1 Integer", RD="1 Integer", AD="1 Integer", FREQ="1 String", DP4="1 String"
)
FREEBAYES = declared_formats(GT="1 String", DP="1 Integer", RO="1 Integer", AO="A Integer")
STRELKA_SNV = declared_formats(
    DP="1 Integer", FDP="1 Integer", AU="2 Integer", CU="2 Integer", GU="2 Integer", TU="2 Integer"
)
STRELKA_INDEL = declared_formats(DP="1 Integer", DP2="1 Integer", TAR="2 Integer", TIR="2 Integer")
VARDICT = declared_formats(GT="1 String", DP="1 Integer", VD="1 Integer", AF="A Float")


@pytest.mark.parametrize(
    ("formats", "alleles", "call", "right"),
    [
        (MUTECT2, "A G", "GT:AD:AF:DP 0/1:60,20:0.24:81", [(81, 20, 0.24)]),
        (MUTECT2, "A G,T", "GT:AD:AF:DP 0/1/2:60,20,5:0.2,0.06:85", [(85, 20, 0.2), (85, 5, 0.06)]),
        (MUTECT2, "A G", "GT:AD:AF:DP 0/1:60,20:.:.", [(80, 20, 0.25)]),
        (MUTECT1, "A G", "GT:AD:FA:DP 0/1:60,20:0.25:80", [(80, 20, 0.25)]),
        (VARSCAN, "A G", "GT:DP:RD:AD:FREQ:DP4 0/1:15:10:5:33.33%:9,1,3,2", [(15, 5, 0.3333)]),
        (VARSCAN, "A G", "GT:DP:RD:AD:FREQ:DP4 0/1:15:10:5:.:9,1,3,2", [(15, 5, 5 / 15)]),
        (FREEBAYES, "A G", "GT:DP:RO:AO 0/1:41:30:10", [(41, 10, 0.25)]),
        (FREEBAYES, "A G,T", "GT:DP:RO:AO 1/2:41:20:15,5", [(41, 15, 0.375), (41, 5, 0.125)]),
        (STRELKA_SNV, "G A", "DP:FDP:AU:CU:GU:TU 125:0:10,48:0,0:115,1197:0,1", [(125, 10, 10 / 125)]),
        (STRELKA_INDEL, "GA G", "DP:DP2:TAR:TIR 50:50:30,31:10,12", [(50, 10, 0.25)]),
        (VARDICT, "A G", "GT:DP:VD:AF 0/1:80:20:0.26", [(80, 20, 0.26)]),
    ],
)
def test_each_caller_s_fields_are_understood(
    tmp_path: Path, formats: str, alleles: str, call: str, right: list[tuple[int, int, float]]
) -> None:
    path = vcf(tmp_path, [f"chr1 100 . {alleles} . PASS . {call}"], formats=formats)
    found = read_vcf(path)
    assert [(one.depth, one.alternate_reads) for one in found.variants] == [one[:2] for one in right]
    fractions = [one.allele_fraction for one in found.variants]
    assert fractions == pytest.approx([one[2] for one in right], abs=1e-6)
    assert found.known >= SUPPORT


def test_varscan_s_single_number_says_nothing_of_two_alleles(tmp_path: Path) -> None:
    line = "chr1 100 . A G,T . PASS . GT:DP:RD:AD:FREQ:DP4 1/2:15:10:5:33.33%:9,1,3,2"
    found = read_vcf(vcf(tmp_path, [line], formats=VARSCAN)).variants
    assert [(one.depth, one.alternate_reads, one.allele_fraction) for one in found] == [(15, None, None)] * 2


def test_fields_that_the_header_does_not_declare_are_read_as_numbers(tmp_path: Path) -> None:
    formats = declared_formats(GT="1 String", DP="1 Integer")
    (variant,) = read_vcf(
        vcf(tmp_path, ["chr1 100 . A G . PASS . GT:AD:DP 0/1:60,20:80"], formats=formats)
    ).variants
    assert (variant.depth, variant.alternate_reads, variant.allele_fraction) == (80, 20, 0.25)


def test_a_fraction_at_the_limit_is_not_lost_to_single_precision(tmp_path: Path) -> None:
    line = "chr1 100 . A G . PASS . GT:AD:AF:DP 0/1:98,2:0.02:100"
    assert read_vcf(vcf(tmp_path, [line], formats=MUTECT2)).variants[0].allele_fraction == 0.02


@pytest.mark.parametrize("fraction", ["33.3", "-0.1", "inf"])
def test_a_fraction_that_is_none_is_refused_by_name(tmp_path: Path, fraction: str) -> None:
    line = f"chr1 100 . A G . PASS . GT:AD:AF:DP 0/1:60,20:{fraction}:80"
    with pytest.raises(VariantsFileError, match=r"chr1:100: AF .* is not an allele fraction"):
        read_vcf(vcf(tmp_path, [line], formats=MUTECT2))


def test_names_of_no_known_caller_are_not_known(tmp_path: Path) -> None:
    formats = declared_formats(GT="1 String", DPT="1 Integer", ADT=". String")
    found = read_vcf(
        vcf(tmp_path, ["chr1 100 . A G . PASS . GT:DPT:ADT 0/1:80:60,20"], formats=formats, header=(CSQ,))
    )
    assert not found.known & SUPPORT


MISSENSE = "CSQ=G|missense_variant|TP53|0.0002,G|intron_variant|TP53|"


def test_a_call_with_its_depth_fraction_and_annotation(tmp_path: Path) -> None:
    line = f"chr1 100 . A G . PASS {MISSENSE};COSMIC_CNT=7;gnomAD_AC=3;HOTSPOT GT:AD:DP 0/1:60,20:80"
    found = read_vcf(vcf(tmp_path, [line]))
    (variant,) = found.variants
    assert (variant.chromosome, variant.position) == ("1", 100)
    assert variant.consequence is Consequence.NON_SYNONYMOUS
    assert (variant.depth, variant.alternate_reads, variant.allele_fraction) == (80, 20, 0.25)
    assert (variant.germline_frequency, variant.germline_count, variant.cosmic_count) == (0.0002, 3, 7)
    assert variant.driver is True
    assert variant.passed is True
    assert found.known == frozenset(Known) - {Known.SOMATIC}
    assert (found.sample, found.assembly) == ("T", "GRCh38")


def test_each_allele_has_its_own_reads_and_its_own_consequence(tmp_path: Path) -> None:
    csq = "CSQ=G|synonymous_variant|A|,T|stop_gained|A|,-|frameshift_variant|A|"
    lines = [
        f"chr1 100 . A G,T . PASS {csq} GT:AD:DP 1/2:10,20,30:60",
        f"chr1 200 . AC G,A . PASS {csq} GT:AD:DP 0/2:10,20,30:60",
    ]
    found = read_vcf(vcf(tmp_path, lines)).variants
    assert [one.alternate_reads for one in found] == [20, 30, 30]
    assert [one.consequence for one in found] == [
        Consequence.SYNONYMOUS,
        Consequence.NON_SYNONYMOUS,
        Consequence.NON_SYNONYMOUS,
    ]


def test_snpeff_is_read(tmp_path: Path) -> None:
    line = (
        "chr1 100 . A G . weak ANN=G|missense_variant&splice_region_variant|MODERATE|TP53 GT:AD:DP 0/1:9,1:10"
    )
    (variant,) = read_vcf(vcf(tmp_path, [line], header=(ANN,))).variants
    assert variant.consequence is Consequence.NON_SYNONYMOUS
    assert variant.passed is False
    assert variant.germline_frequency is None


def test_what_the_tumour_does_not_have_is_not_read(tmp_path: Path) -> None:
    lines = [
        f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/0:10,0:10 0/1:5,5:10",
        f"chr1 101 . A G . PASS {MISSENSE} GT:AD:DP 0/1:10,9:19 0/0:5,0:5",
    ]
    found = read_vcf(vcf(tmp_path, lines, samples=("TUMOR", "NORMAL")))
    assert [one.position for one in found.variants] == [101]
    assert found.sample == "TUMOR"
    assert found.matched_normal is True


def test_two_samples_of_unclear_names_ask_for_one(tmp_path: Path) -> None:
    path = vcf(
        tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:5,5:10 0/1:5,6:11"], samples=("A", "B")
    )
    with pytest.raises(VariantsFileError, match="--sample: A, B"):
        read_vcf(path)
    assert read_vcf(path, "B").variants[0].alternate_reads == 6
    with pytest.raises(VariantsFileError, match="no sample 'C'"):
        read_vcf(path, "C")


def test_calls_without_samples_have_no_depth(tmp_path: Path) -> None:
    found = read_vcf(vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE}"], samples=()))
    assert found.variants[0].depth is None
    assert Known.DEPTH not in found.known


def test_an_unannotated_file_says_so(tmp_path: Path) -> None:
    found = read_vcf(vcf(tmp_path, ["chr1 100 . A G . PASS . GT:AD:DP 0/1:5,5:10"], header=()))
    assert Known.CONSEQUENCE not in found.known
    assert found.variants[0].consequence is None


def test_bcf_and_compressed_vcf_are_read_alike(tmp_path: Path) -> None:
    plain = vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:60,20:80"])
    for name, mode in (("calls.bcf", "wb"), ("calls.vcf.gz", "wz")):
        with (
            pysam.VariantFile(str(plain)) as old,
            pysam.VariantFile(str(tmp_path / name), mode, header=old.header) as new,
        ):
            for record in old:
                new.write(record)
        assert read_vcf(tmp_path / name).variants == read_vcf(plain).variants


@pytest.mark.parametrize("content", [b"", b"not a VCF at all\n", b"\x1f\x8bbroken"])
def test_what_is_no_vcf_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calls.vcf"
    path.write_bytes(content)
    with pytest.raises(VariantsFileError, match="not readable as VCF"):
        read_vcf(path)
    with pytest.raises(MissingFileError):
        read_vcf(tmp_path / "none.vcf")


def test_plain_gzip_is_read_like_bgzip_and_a_damaged_one_refused(tmp_path: Path) -> None:
    plain = vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:60,20:80"])
    packed = tmp_path / "plain.vcf.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_vcf(packed).variants == read_vcf(plain).variants
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(VariantsFileError, match=r"plain.vcf.gz: not readable as VCF"):
        read_vcf(packed)


def test_a_bgzip_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    plain = vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:60,20:80"])
    packed = tmp_path / "calls.vcf.gz"
    pysam.tabix_compress(str(plain), str(packed))
    end_marker_bytes = 28
    packed.write_bytes(packed.read_bytes()[:-end_marker_bytes])
    with pytest.raises(VariantsFileError, match="truncated"):
        read_vcf(packed)


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    plain = vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:60,20:80"])
    before = read_vcf(plain).variants
    plain.write_bytes(plain.read_bytes().replace(b"\n", b"\r\n"))
    assert read_vcf(plain).variants == before


@pytest.mark.parametrize(
    ("number", "entries", "first", "second"),
    [("A", "3,40", 3, 40), ("R", "900,3,40", 3, 40), (".", "3,40", 3, 40), ("1", "7", 7, 7)],
)
def test_info_fields_are_taken_per_allele(
    tmp_path: Path, number: str, entries: str, first: int, second: int
) -> None:
    declared = f'##INFO=<ID=gnomADe_AC,Number={number},Type=Integer,Description="count">'
    line = f"chr1 100 . A G,T . PASS gnomADe_AC={entries} GT:AD:DP 1/2:10,20,30:60"
    found = read_vcf(vcf(tmp_path, [line], header=(CSQ, declared))).variants
    assert [one.germline_count for one in found] == [first, second]


@pytest.mark.parametrize("alternate", ["<DEL>", "<DUP:TANDEM>", "A[chr2:321682[", "]chr2:1]A", "A.", ".A"])
def test_symbolic_alleles_and_breakends_are_no_small_variants(tmp_path: Path, alternate: str) -> None:
    line = f"chr1 100 . A {alternate} . PASS {MISSENSE} GT:AD:DP 0/1:60,20:80"
    assert [one.is_countable for one in read_vcf(vcf(tmp_path, [line])).variants] == [False]


@pytest.mark.parametrize(
    ("kind", "alternate", "countable"),
    [
        ("INS", "A" + "C" * 50, False),
        ("INS", "A" + "C" * 49, True),
        ("BND", "AC", False),
        ("RPL", "C", True),
    ],
)
def test_svtype_tells_structural_variants_from_pindel_s_short_indels(
    tmp_path: Path, kind: str, alternate: str, countable: bool
) -> None:
    declared = '##INFO=<ID=SVTYPE,Number=1,Type=String,Description="x">'
    path = vcf(tmp_path, [f"chr1 100 . A {alternate} . PASS SVTYPE={kind}"], header=(declared,), samples=())
    assert read_vcf(path).variants[0].is_countable is countable


@pytest.mark.parametrize("alternate", ["*", "<*>", "<NON_REF>"])
def test_an_allele_that_stands_for_none_or_any_is_passed_over(tmp_path: Path, alternate: str) -> None:
    line = f"chr1 100 . A G,{alternate} . PASS {MISSENSE} GT:AD:DP 1/2:10,20,30:60"
    assert [one.alternate for one in read_vcf(vcf(tmp_path, [line])).variants] == ["G"]


def test_a_filter_that_no_caller_set_is_not_known(tmp_path: Path) -> None:
    lines = [f"chr1 {n} . A G . {entry} {MISSENSE}" for n, entry in enumerate((".", "PASS", "weak"), 1)]
    found = read_vcf(vcf(tmp_path, lines, samples=())).variants
    assert [one.passed for one in found] == [None, True, False]


VARSCAN_STATUS = (
    '##INFO=<ID=SS,Number=1,Type=String,Description="Somatic status of variant '
    '(0=Reference,1=Germline,2=Somatic,3=LOH, or 5=Unknown)">'
)
VARDICT_STATUS = '##INFO=<ID=STATUS,Number=1,Type=String,Description="Somatic or germline status">'


@pytest.mark.parametrize(
    ("header", "entry", "somatic"),
    [
        (VARSCAN_STATUS, "SS=1", False),
        (VARSCAN_STATUS, "SS=2", True),
        (VARSCAN_STATUS, "SS=3", False),
        (VARSCAN_STATUS, "SS=5", None),
        (VARDICT_STATUS, "STATUS=Germline", False),
        (VARDICT_STATUS, "STATUS=StrongLOH", False),
        (VARDICT_STATUS, "STATUS=LikelySomatic", True),
        (VARDICT_STATUS, "STATUS=AFDiff", None),
    ],
)
def test_the_status_of_varscan_and_vardict_is_read(
    tmp_path: Path, header: str, entry: str, somatic: bool | None
) -> None:
    found = read_vcf(vcf(tmp_path, [f"chr1 100 . A G . PASS {entry}"], header=(CSQ, header), samples=()))
    assert found.variants[0].somatic is somatic
    assert Known.SOMATIC in found.known


def test_another_field_of_that_name_is_no_status(tmp_path: Path) -> None:
    other = '##INFO=<ID=SS,Number=1,Type=Integer,Description="strand score">'
    found = read_vcf(vcf(tmp_path, ["chr1 100 . A G . PASS SS=1"], header=(CSQ, other), samples=()))
    assert found.variants[0].somatic is None
    assert found.status_field == ""


def test_refseq_contigs_name_chromosome_and_assembly(tmp_path: Path) -> None:
    path = vcf(tmp_path, [f"NC_000007.13 100 . A G . PASS {MISSENSE}"], samples=())
    text = path.read_text(encoding="utf-8")
    declared = "##contig=<ID=NC_000007.13>\n"
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("##contig"))
    path.write_text(kept.replace("##FILTER", declared + "##FILTER", 1), encoding="utf-8")
    found = read_vcf(path)
    assert (found.variants[0].chromosome, found.assembly) == ("7", "GRCh37")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0" * (1 << 20), "no VCF is packed in it"),
        (b"##fileformat=VCFv4.2\n" + b"##x\n" * (20 << 20), "unpacks to more than 64 MiB"),
        (b"##fileformat=VCFv4.2\nnothing", "bomb.vcf.gz"),
    ],
)
def test_a_gzip_file_without_variants_is_refused_by_its_own_name(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "bomb.vcf.gz"
    path.write_bytes(gzip.compress(content, compresslevel=9))
    with pytest.raises(VariantsFileError, match=words) as refused:
        read_vcf(path)
    assert "unpacked.vcf" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "kept"),
    [("./.:.:.", 0), ("./.:0,0:0", 0), ("./.:90,0:90", 0), ("./.:60,40:100", 1), ("./.:.:90", 1)],
)
def test_a_missing_genotype_is_no_variant_unless_reads_show_it(tmp_path: Path, call: str, kept: int) -> None:
    """Merged files have "./." where another sample was called."""
    lines = [
        f"chr1 100 . A G . PASS . GT:AD:DP 0/1:60,20:80 {call}",
        f"chr1 200 . A G . PASS . GT:AD:DP {call} {call}",
    ]
    found = read_vcf(vcf(tmp_path, lines, samples=("T1", "T2")), sample="T1")
    assert len(found.variants) == 1 + kept
    assert any("no call" in one for one in found.cautions) == (not kept)


def test_a_sample_that_has_none_of_the_variants_is_named(tmp_path: Path) -> None:
    path = vcf(tmp_path, ["chr1 100 . A G . PASS . GT:AD:DP 0/0:80,0:80"])
    assert (
        "the sample T has none of the 1 variants of the file: is it the tumour's?" in read_vcf(path).cautions
    )


@pytest.mark.parametrize(
    ("percent", "right"), [("4,9%", 0.049), ("6,0%", 0.06), ("33,33%", 0.3333), ("5%", 0.05)]
)
def test_varscan_s_decimal_comma_is_no_list(tmp_path: Path, percent: str, right: float) -> None:
    line = f"chr1 100 . A G . PASS . GT:DP:RD:AD:FREQ:DP4 0/1:200:190:10:{percent}:9,1,3,2"
    (variant,) = read_vcf(vcf(tmp_path, [line], formats=VARSCAN)).variants
    assert variant.allele_fraction == pytest.approx(right)


@pytest.mark.parametrize(
    ("number", "fractions", "right"),
    [
        ("A", "0.01,0.40", None),
        ("R", "0.6,0.4", 0.4),
        ("R", "0.5,0.4", 0.4),
        (".", "0.61,0.39", 0.39),
        ("A", "0.4", 0.4),
    ],
)
def test_fractions_of_alleles_that_a_split_took_away_say_nothing(
    tmp_path: Path, number: str, fractions: str, right: float | None
) -> None:
    formats = declared_formats(GT="1 String", AF=f"{number} Float", DP="1 Integer")
    line = f"chr1 100 . A G . PASS . GT:AF:DP 0/1:{fractions}:100"
    (variant,) = read_vcf(vcf(tmp_path, [line], formats=formats)).variants
    assert variant.allele_fraction == (pytest.approx(right) if right is not None else None)


def test_of_two_tumour_samples_one_is_asked_for(tmp_path: Path) -> None:
    header = (CSQ, "##tumor_sample=T1", "##tumor_sample=T2", "##normal_sample=N")
    line = "chr1 100 . A G . PASS . GT:AD:DP 0/1:60,20:80 0/0:80,0:80 0/0:80,0:80"
    path = vcf(tmp_path, [line], header=header, samples=("T1", "T2", "N"))
    with pytest.raises(VariantsFileError, match="contains 3 samples"):
        read_vcf(path)
    assert not read_vcf(path, sample="T1").cautions
    assert "by its header, N is the normal sample, not the tumour's" in read_vcf(path, sample="N").cautions


def test_a_lone_normal_sample_is_named(tmp_path: Path) -> None:
    path = vcf(tmp_path, ["chr1 100 . A G . PASS . GT:AD:DP 0/1:60,20:80"], samples=("NORMAL",))
    found = read_vcf(path)
    assert found.cautions == ("by its header, NORMAL is the normal sample, not the tumour's",)
    assert found.matched_normal is None


SOMATIC_FLAG = '##INFO=<ID=SOMATIC,Number=0,Type=Flag,Description="Somatic mutation">'


@pytest.mark.parametrize(("marked", "named"), [(0, False), (1, True), (2, False)])
def test_a_flag_that_only_some_variants_have_is_named(tmp_path: Path, marked: int, named: bool) -> None:
    lines = [
        f"chr1 {100 + n} . A G . PASS {'SOMATIC' if n < marked else '.'} GT:AD:DP 0/1:60,20:80"
        for n in range(2)
    ]
    found = read_vcf(vcf(tmp_path, lines, header=(SOMATIC_FLAG,)))
    assert ("INFO SOMATIC marks 1 of 2 variants" in " ".join(found.cautions)) == named


def test_dragen_s_germline_tags_are_read_and_a_line_without_one_is_not_known(tmp_path: Path) -> None:
    header = '##INFO=<ID=GermlineStatus,Number=1,Type=String,Description="Status of the variant">'
    tags = ["GermlineStatus=Germline_DB", "GermlineStatus=Germline_Proxi", "GermlineStatus=Somatic", "."]
    lines = [f"chr1 {100 + n} . A G . PASS {tag} GT:AD:DP 0/1:60,20:80" for n, tag in enumerate(tags)]
    found = read_vcf(vcf(tmp_path, lines, header=(header,)))
    assert [one.somatic for one in found.variants] == [False, False, True, None]


def test_a_filter_passes_in_any_case(tmp_path: Path) -> None:
    path = vcf(tmp_path, ["chr1 100 . A G . pass . GT:AD:DP 0/1:60,20:80"])
    assert read_vcf(path).variants[0].passed is True
