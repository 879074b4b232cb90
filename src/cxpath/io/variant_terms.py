"""The words that annotators use for what a variant does to a protein, and what each of them counts as."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from cxpath.data import Consequence

_NON_SYNONYMOUS, _SYNONYMOUS, _NON_CODING = (
    Consequence.NON_SYNONYMOUS,
    Consequence.SYNONYMOUS,
    Consequence.NON_CODING,
)

NON_SYNONYMOUS_TERMS = frozenset(
    {
        "missense_variant",
        "conservative_missense_variant",
        "rare_amino_acid_variant",
        "stop_gained",
        "stop_lost",
        "start_lost",
        "initiator_codon_variant",
        "frameshift_variant",
        "inframe_insertion",
        "inframe_deletion",
        "conservative_inframe_insertion",
        "conservative_inframe_deletion",
        "disruptive_inframe_insertion",
        "disruptive_inframe_deletion",
        "protein_altering_variant",
        "splice_acceptor_variant",
        "splice_donor_variant",
        "transcript_ablation",
        "exon_loss_variant",
    }
)
"""Sequence Ontology, as VEP and snpEff write it; splice sites count as non-synonymous, as in MAF."""

SYNONYMOUS_TERMS = frozenset(
    {
        "synonymous_variant",
        "stop_retained_variant",
        "start_retained_variant",
        "start_retained",
        "incomplete_terminal_codon_variant",
    }
)

_UNDETERMINED_TERM = "coding_sequence_variant"
"""A change of the coding sequence whose effect the annotator could not work out: vcf2maf, and so the files of
GDC, cBioPortal and GENIE, call it a missense mutation."""

NON_CODING_TRANSCRIPT_TERMS = frozenset(
    {
        "NMD_transcript_variant",
        "non_coding_transcript_variant",
        "non_coding_transcript_exon_variant",
        "non_coding_exon_variant",
        "nc_transcript_variant",
        "mature_miRNA_variant",
    }
)
"""Terms that stand only at transcripts which make no protein."""

_OTHER_TERMS = frozenset(
    {
        _UNDETERMINED_TERM,
        "transcript_amplification",
        "feature_elongation",
        "feature_truncation",
        "feature_ablation",
        "splice_region_variant",
        "splice_donor_5th_base_variant",
        "splice_donor_region_variant",
        "splice_polypyrimidine_tract_variant",
        "splice_branch_variant",
        "5_prime_UTR_variant",
        "5_prime_UTR_truncation",
        "5_prime_UTR_premature_start_codon_gain_variant",
        "3_prime_UTR_variant",
        "3_prime_UTR_truncation",
        "intron_variant",
        "conserved_intron_variant",
        "intragenic_variant",
        "INTRAGENIC",
        "coding_transcript_variant",
        "transcript_variant",
        "exon_variant",
        "exon_region",
        "gene_variant",
        "upstream_gene_variant",
        "downstream_gene_variant",
        "TFBS_ablation",
        "TFBS_amplification",
        "TF_binding_site_variant",
        "regulatory_region",
        "regulatory_region_ablation",
        "regulatory_region_amplification",
        "regulatory_region_variant",
        "intergenic_variant",
        "intergenic_region",
        "conserved_intergenic_variant",
        "sequence_variant",
        "sequence_feature",
        "structural_interaction_variant",
        "protein_protein_contact",
        "miRNA",
        "gene_fusion",
        "bidirectional_gene_fusion",
        "chromosome_number_variation",
        "chromosome",
        "duplication",
        "inversion",
        "custom",
    }
)
KNOWN_TERMS = NON_SYNONYMOUS_TERMS | SYNONYMOUS_TERMS | NON_CODING_TRANSCRIPT_TERMS | _OTHER_TERMS

MAF_CLASSES = {
    "Missense_Mutation": _NON_SYNONYMOUS,
    "Nonsense_Mutation": _NON_SYNONYMOUS,
    "Nonstop_Mutation": _NON_SYNONYMOUS,
    "Frame_Shift_Del": _NON_SYNONYMOUS,
    "Frame_Shift_Ins": _NON_SYNONYMOUS,
    "In_Frame_Del": _NON_SYNONYMOUS,
    "In_Frame_Ins": _NON_SYNONYMOUS,
    "Splice_Site": _NON_SYNONYMOUS,
    "Translation_Start_Site": _NON_SYNONYMOUS,
    "Silent": _SYNONYMOUS,
    "Splice_Region": _NON_CODING,
    "Intron": _NON_CODING,
    "RNA": _NON_CODING,
    "IGR": _NON_CODING,
    "3'UTR": _NON_CODING,
    "5'UTR": _NON_CODING,
    "3'Flank": _NON_CODING,
    "5'Flank": _NON_CODING,
    "Targeted_Region": _NON_CODING,
}
"""`Variant_Classification` as the MAF specification of GDC has it; the nine of maftools and cBioPortal change
the protein."""

_START_OR_STOP_CODON = re.compile(r"(start|stop)codon(snp|dnp|tnp|onp|ins|del)")
_OTHER_WORDS: dict[Consequence, tuple[str, ...]] = {
    _NON_SYNONYMOUS: (
        *("missense", "missense SNV", "nonsense", "nonsynonymous", "non-synonymous", "nonsynonymous SNV"),
        *("nonstop", "stopgain", "stop gain", "stopgain SNV", "stoploss", "stop loss", "stoploss SNV"),
        *("startloss", "start loss", "stop gained", "stop lost", "start lost"),
        *("frameshift", "frame shift", "frameshift insertion", "frameshift deletion"),
        *("frameshift substitution", "frameshift block substitution", "Frame_Shift_Sub"),
        *("inframe", "in frame", "inframe indel", "nonframeshift insertion", "nonframeshift deletion"),
        *("nonframeshift substitution", "nonframeshift block substitution", "In_Frame_Sub"),
        *("splice", "splicing", "exonic;splicing", "splice donor", "splice acceptor"),
        *("Splice_Site_SNP", "Splice_Site_DNP", "Splice_Site_Ins", "Splice_Site_Del"),
    ),
    _SYNONYMOUS: ("synonymous", "synonymous SNV", "silent mutation"),
    _NON_CODING: (
        *("De_novo_Start_InFrame", "De_novo_Start_OutOfFrame"),
        *("De_novo_Start_In_Frame", "De_novo_Start_Out_Frame"),
        *("five prime UTR", "three prime UTR", "five prime flank", "three prime flank", "UTR3", "UTR5"),
        *("upstream", "downstream", "upstream;downstream", "UTR5;UTR3", "intronic", "intergenic"),
        *("lincRNA", "lncRNA", "ncRNA", "ncRNA_exonic", "ncRNA_intronic", "ncRNA_splicing"),
        *("Fusion", "Gene fusion", "Structural variant", "unknown", "COULD_NOT_DETERMINE"),
    ),
}
"""Words of Oncotator, Funcotator, ANNOVAR and of tables written by hand. A start codon that arises in the
5' UTR (De_novo_Start) is left out, as by maftools: it does not change the coding sequence."""


def consequence_of_terms(terms: Iterable[str]) -> Consequence:
    """Return the gravest consequence among Sequence Ontology terms."""
    named = frozenset(terms)
    if named & NON_SYNONYMOUS_TERMS:
        return _NON_SYNONYMOUS
    if named & SYNONYMOUS_TERMS:
        return _SYNONYMOUS
    return _NON_SYNONYMOUS if _UNDETERMINED_TERM in named else _NON_CODING


def consequence_of_class(name: str) -> Consequence | None:
    """Return the consequence that a MAF's `Variant_Classification` means; None for a word of no vocabulary.

    Case, blanks and punctuation make no difference; the words of Oncotator, Funcotator, ANNOVAR and the
    Sequence Ontology (several of them joined by "&" or ",") are understood.
    """
    plain = _plain(name)
    if _START_OR_STOP_CODON.fullmatch(plain):
        return _NON_SYNONYMOUS
    if (known := _CLASSES.get(plain)) is not None:
        return known
    terms = [_TERMS.get(_plain(term)) for term in re.split(r"[&,;]", name)]
    return None if None in terms else consequence_of_terms(term for term in terms if term)


def is_maf_class(name: str) -> bool:
    """Say whether a word is one of MAF's own classes, in whatever case."""
    return _plain(name) in _MAF_CLASSES


def unknown_terms(terms: Iterable[str]) -> Collection[str]:
    """Return those words among the terms that are none of the Sequence Ontology's."""
    return {term for term in terms if term and term not in KNOWN_TERMS}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_MAF_CLASSES = frozenset(map(_plain, MAF_CLASSES))
_TERMS = {_plain(term): term for term in KNOWN_TERMS}
_CLASSES = {_plain(name): consequence for name, consequence in MAF_CLASSES.items()} | {
    _plain(word): consequence for consequence, words in _OTHER_WORDS.items() for word in words
}
