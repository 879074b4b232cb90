"""The words that annotators use for what a variant does to a protein."""

from __future__ import annotations

from collections.abc import Iterable

from cxpath.values.variants import Consequence

NON_SYNONYMOUS_TERMS = frozenset(
    {
        "missense_variant",
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

SYNONYMOUS_TERMS = frozenset({"synonymous_variant", "stop_retained_variant", "start_retained_variant"})

NON_SYNONYMOUS_CLASSES = frozenset(
    {
        "Missense_Mutation",
        "Nonsense_Mutation",
        "Nonstop_Mutation",
        "Frame_Shift_Del",
        "Frame_Shift_Ins",
        "In_Frame_Del",
        "In_Frame_Ins",
        "Splice_Site",
        "Translation_Start_Site",
    }
)
"""`Variant_Classification` of MAF."""

SYNONYMOUS_CLASSES = frozenset({"Silent"})


def consequence_of_terms(terms: Iterable[str]) -> Consequence:
    """Return the gravest consequence among Sequence Ontology terms."""
    named = frozenset(terms)
    if named & NON_SYNONYMOUS_TERMS:
        return Consequence.NON_SYNONYMOUS
    return Consequence.SYNONYMOUS if named & SYNONYMOUS_TERMS else Consequence.NON_CODING


def consequence_of_class(name: str) -> Consequence:
    """Return the consequence that a MAF's `Variant_Classification` means."""
    if name in NON_SYNONYMOUS_CLASSES:
        return Consequence.NON_SYNONYMOUS
    return Consequence.SYNONYMOUS if name in SYNONYMOUS_CLASSES else Consequence.NON_CODING
