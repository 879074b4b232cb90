"""For which allele, in which transcript, and under which field's name an annotator said what it said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.data.variants import Consequence
from cxpath.errors import VariantsFileError
from cxpath.io.vcf import read_vcf
from tests.io.variant_files import ANN, csq, vcf

NON, SYN, NOT = Consequence.NON_SYNONYMOUS, Consequence.SYNONYMOUS, Consequence.NON_CODING
SNPEFF = (
    '##INFO=<ID=ANN,Number=.,Type=String,Description="Functional annotations: '
    "'Allele | Annotation | Annotation_Impact | Gene_Name | Gene_ID | Transcript_BioType'\">"
)


def annotated_consequences(folder: Path, alleles: str, info: str, header: str) -> list[Consequence | None]:
    path = vcf(folder, [f"chr1 100 . {alleles} . PASS {info}"], header=(header,), samples=())
    return [variant.consequence for variant in read_vcf(path).variants]


@pytest.mark.parametrize(
    ("alleles", "entries", "right"),
    [
        ("CA C,CG", "-|frameshift_variant,G|missense_variant", [NON, NON]),
        ("CA CG,C", "-|synonymous_variant,G|missense_variant", [NON, SYN]),
        ("A AT,G", "AT|frameshift_variant,G|synonymous_variant", [NON, SYN]),
        ("CAG C,CAGAG", "-|synonymous_variant,AGAG|missense_variant", [SYN, NON]),
        ("CA C,*", "-|missense_variant", [NON]),
        ("CA C,CG,*", "-|synonymous_variant,G|missense_variant,*|intergenic_variant", [SYN, NON]),
        ("A G,T", "G|synonymous_variant,T|stop_gained", [SYN, NON]),
        ("AC GT,A", "GT|missense_variant,A|frameshift_variant", [NON, NON]),
        ("ca c,cg", "-|synonymous_variant,G|missense_variant", [SYN, NON]),
    ],
)
def test_vep_trims_the_first_base_of_all_alleles_or_of_none(
    tmp_path: Path, alleles: str, entries: str, right: list[Consequence]
) -> None:
    assert annotated_consequences(tmp_path, alleles, f"CSQ={entries}", csq()) == right


def test_one_line_of_two_alleles_gives_what_two_lines_give(tmp_path: Path) -> None:
    together = annotated_consequences(
        tmp_path, "CA C,CG", "CSQ=-|frameshift_variant,G|missense_variant", csq()
    )
    apart = [
        *annotated_consequences(tmp_path, "CA C", "CSQ=-|frameshift_variant", csq()),
        *annotated_consequences(tmp_path, "CA CG", "CSQ=CG|missense_variant", csq()),
    ]
    assert together == apart == [NON, NON]


@pytest.mark.parametrize(
    ("alleles", "right"), [("CA C", [SYN]), ("CA CG", [NON]), ("A G", [NON]), ("CA CT", [None])]
)
def test_a_line_that_was_split_after_the_annotation_keeps_only_its_own_entries(
    tmp_path: Path, alleles: str, right: list[Consequence | None]
) -> None:
    info = "CSQ=-|synonymous_variant|1,G|missense_variant|2"
    assert annotated_consequences(tmp_path, alleles, info, csq("ALLELE_NUM")) == right


def test_a_naming_that_explains_all_entries_lends_none_to_another_allele(tmp_path: Path) -> None:
    found = annotated_consequences(tmp_path, "A T,AT", "CSQ=T|missense_variant", csq())
    assert found == [NON, None]


def test_the_number_of_the_allele_decides_where_it_is_given(tmp_path: Path) -> None:
    info = "CSQ=odd|synonymous_variant|1,odd|missense_variant|2"
    assert annotated_consequences(tmp_path, "C A,T", info, csq("ALLELE_NUM")) == [SYN, NON]


def test_alleles_trimmed_each_by_itself_are_found(tmp_path: Path) -> None:
    info = "CSQ=T|synonymous_variant,A|missense_variant"
    assert annotated_consequences(tmp_path, "GCG GTG,GCA", info, csq()) == [SYN, NON]


def test_an_allele_without_own_entry_is_not_counted_and_named(tmp_path: Path) -> None:
    line = "chr1 100 . C A,T . PASS CSQ=A|missense_variant"
    found = read_vcf(vcf(tmp_path, [line], header=(csq(),), samples=()))
    assert [one.consequence for one in found.variants] == [NON, None]
    assert any("1 allele has entries of INFO CSQ under other names" in one for one in found.cautions)


@pytest.mark.parametrize("name", ["ANN", "CSQ", "vep", "VEP_115"])
def test_vep_s_columns_are_read_under_any_field_s_name(tmp_path: Path, name: str) -> None:
    info = f"{name}=T|missense_variant|MODERATE|G0"
    assert annotated_consequences(tmp_path, "C T", info, csq("IMPACT", "SYMBOL", name=name)) == [NON]


def test_snpeff_s_columns_are_read_under_csq(tmp_path: Path) -> None:
    header = ANN.replace("ID=ANN", "ID=CSQ")
    info = "CSQ=CG|missense_variant|MODERATE|G,C|frameshift_variant|HIGH|G"
    assert annotated_consequences(tmp_path, "CA C,CG", info, header) == [NON, NON]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('ID=CSQ,Number=.,Type=String,Description="x"', "does not declare in its description where"),
        ('ID=ANN,Number=.,Type=String,Description="Format: Allele|IMPACT"', "INFO ANN does not declare"),
        ('ID=CSQ,Number=.,Type=Integer,Description="Format: Allele|Consequence"', "declared as Integer"),
    ],
)
def test_a_field_that_cannot_be_read_is_refused(tmp_path: Path, declared: str, words: str) -> None:
    path = vcf(tmp_path, ["chr1 100 . C T . PASS ."], header=(f"##INFO=<{declared}>",), samples=())
    with pytest.raises(VariantsFileError, match=words):
        read_vcf(path)


def test_two_fields_of_unknown_names_are_asked_about(tmp_path: Path) -> None:
    header = (csq("SYMBOL", name="vep_a"), csq("SYMBOL", name="vep_b"))
    path = vcf(tmp_path, ["chr1 100 . C T . PASS ."], header=header, samples=())
    with pytest.raises(VariantsFileError, match="vep_a, vep_b"):
        read_vcf(path)


VEP = csq("SYMBOL", "BIOTYPE", "PICK", "MANE_SELECT", "CANONICAL")


@pytest.mark.parametrize(
    ("entries", "right"),
    [
        (
            (
                "T|synonymous_variant|G|protein_coding|1||YES,"
                "T|splice_donor_variant&non_coding_transcript_variant|G|lncRNA|||"
            ),
            SYN,
        ),
        (
            (
                "T|intron_variant|G|protein_coding|1||YES,"
                "T|missense_variant&NMD_transcript_variant|G|nonsense_mediated_decay|||"
            ),
            NOT,
        ),
        ("T|synonymous_variant|G|protein_coding|1||YES,T|missense_variant|G|protein_coding|||", SYN),
        ("T|synonymous_variant|G|protein_coding||NM_1.2|,T|missense_variant|G|protein_coding|||YES", SYN),
        ("T|missense_variant|G|protein_coding|||YES,T|synonymous_variant|G|protein_coding|||", NON),
        ("T|synonymous_variant|G|protein_coding|||,T|missense_variant|G|protein_coding|||", NON),
        ("T|synonymous_variant|G|protein_coding|1||,T|missense_variant|H|protein_coding|||", NON),
        ("T|missense_variant|G|retained_intron|1||YES,T|intron_variant|G|protein_coding|||", NOT),
        ("T|splice_acceptor_variant|G|lncRNA|1||YES", NOT),
        ("T|missense_variant|G||1||", NON),
        ("T|missense_variant|G|protein_coding|0||NO,T|synonymous_variant|G|protein_coding|1||", SYN),
    ],
)
def test_one_coding_transcript_a_gene_counts(tmp_path: Path, entries: str, right: Consequence) -> None:
    assert annotated_consequences(tmp_path, "C T", f"CSQ={entries}", VEP) == [right]


def test_mane_plus_clinical_does_not_flag_a_transcript(tmp_path: Path) -> None:
    info = "CSQ=T|missense_variant|MANE_Plus_Clinical,T|synonymous_variant|MANE_Select"
    assert annotated_consequences(tmp_path, "C T", info, csq("MANE")) == [SYN]


def test_terms_of_non_coding_transcripts_suffice_without_biotype(tmp_path: Path) -> None:
    info = (
        "CSQ=T|missense_variant&NMD_transcript_variant,T|splice_donor_variant&non_coding_transcript_variant"
    )
    assert annotated_consequences(tmp_path, "C T", info, csq()) == [NOT]


@pytest.mark.parametrize(("biotype", "right"), [("protein_coding", NON), ("Coding", NON), ("lncRNA", NOT)])
def test_snpeff_s_biotype_counts(tmp_path: Path, biotype: str, right: Consequence) -> None:
    info = f"ANN=T|splice_donor_variant&intron_variant|HIGH|G|ENSG1|{biotype}"
    assert annotated_consequences(tmp_path, "C T", info, SNPEFF) == [right]


@pytest.mark.parametrize(
    ("term", "right"),
    [
        ("coding_sequence_variant", NON),
        ("incomplete_terminal_codon_variant&coding_sequence_variant", SYN),
        ("splice_region_variant&synonymous_variant", SYN),
        ("splice_polypyrimidine_tract_variant&intron_variant", NOT),
    ],
)
def test_terms_that_vep_writes_besides_the_plain_ones(tmp_path: Path, term: str, right: Consequence) -> None:
    assert annotated_consequences(tmp_path, "C T", f"CSQ=T|{term}", csq()) == [right]


def test_words_that_are_no_terms_are_named_or_refused(tmp_path: Path) -> None:
    lines = ["chr1 100 . C T . PASS CSQ=T|missense", "chr1 101 . C T . PASS CSQ=T|missense_variant"]
    found = read_vcf(vcf(tmp_path, lines, header=(csq(),), samples=()))
    assert any("missense (1)" in caution for caution in found.cautions)
    with pytest.raises(VariantsFileError, match=r"no term of the Sequence Ontology, but missense \(1\)"):
        read_vcf(vcf(tmp_path, lines[:1], header=(csq(),), samples=()))


@pytest.mark.parametrize("number", [".", "1", "A"])
def test_the_declared_number_of_entries_makes_no_difference(tmp_path: Path, number: str) -> None:
    header = csq("IMPACT").replace("Number=.", f"Number={number}")
    info = "CSQ=A|intron_variant|LOW,T|missense_variant|MODERATE,T|intron_variant|LOW"
    assert annotated_consequences(tmp_path, "C A,T", info, header) == [NOT, NON]


@pytest.mark.parametrize(
    ("biotype", "right", "named"),
    [
        ("IG_V_gene", Consequence.NON_SYNONYMOUS, False),
        ("TR_C_gene", Consequence.NON_SYNONYMOUS, False),
        ("mRNA", Consequence.NON_SYNONYMOUS, False),
        ("protein-coding", Consequence.NON_SYNONYMOUS, False),
        ("IG_V_pseudogene", Consequence.NON_CODING, False),
        ("transcribed_unprocessed_pseudogene", Consequence.NON_CODING, False),
        ("lncRNA", Consequence.NON_CODING, False),
        ("retained_intron", Consequence.NON_CODING, False),
        ("processed_transcript", Consequence.NON_CODING, False),
        ("TEC", Consequence.NON_CODING, False),
        ("protein_coding_CDS_not_defined", Consequence.NON_CODING, False),
        ("promoter_flanking_region", Consequence.NON_CODING, False),
        ("Swiss-Prot", Consequence.NON_SYNONYMOUS, True),
    ],
)
def test_biotypes_that_are_not_known_are_named(
    tmp_path: Path,
    biotype: str,
    right: Consequence,
    named: bool,
) -> None:
    entry = f"CSQ=G|missense_variant|{biotype}"
    path = vcf(tmp_path, [f"chr1 100 . A G . PASS {entry} GT:AD:DP 0/1:60,20:80"], header=(csq("BIOTYPE"),))
    found = read_vcf(path)
    assert found.variants[0].consequence is right
    assert any("biotypes that are not known" in one for one in found.cautions) == named
