"""The methods paragraph of a study: what was computed, by which formulas, with which versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def methods_paragraphs(document: Mapping[str, Any]) -> list[str]:
    """Return sentences that a methods section may quote, by paragraph."""
    return [
        " ".join(_design(document)),
        " ".join(_scores(document)),
        " ".join(_categories(document)),
        " ".join(_intervals(document)),
    ]


def _design(document: Mapping[str, Any]) -> Iterator[str]:
    for one in document["rounds"]:
        number = f"In round {one['round']}, " if len(document["rounds"]) > 1 else ""
        patients = f" of {one['patients']} patients" if one["patients"] != one["cases"] else ""
        text = (
            f"{number}{len(one['readers'])} readers scored {one['cases']} cases{patients} for "
            f"{document['score']}"
        )
        yield f"{text[0].upper()}{text[1:]} ({one['reads']} reads, {one['not_evaluable']} not evaluable)."
    if document["software"]:
        yield f"The software ({document['software']}) was compared with the readers."
    yield f"Consensus rule: {document['consensus']}."
    first = document["rounds"][0]
    if first["compared"]:
        yield f"Method comparisons are of {first['compared']['name']} with {first['reference']['name']}: "
        yield f"{first['why']}."


def _scores(document: Mapping[str, Any]) -> Iterator[str]:
    settings = document["settings"]
    yield (
        "Intraclass correlations follow Shrout and Fleiss (1979), named after McGraw and Wong "
        "(1996), on raw scores "
        "and on log10(score + 1), from cases that all readers scored. Lin's concordance (1989) uses "
        "variances over "
        "n. Limits of agreement (Bland and Altman 1986) are mean ± 1.96 standard deviations, with "
        "exact intervals "
        "by the noncentral t distribution (Carkeet 2015), of differences and of ratios of (score + 1)."
    )
    yield (
        "Deming regression (Linnet 1990) took an error variance ratio of "
        f"{settings['error_ratio']:g}, with jackknife "
        "intervals; Passing-Bablok regression (1983) was tested for linearity by CUSUM. The total "
        "deviation index "
        f"(Lin 2000) holds {100 * settings['deviation_share']:g} % of differences. Variance components are "
        "MIVQUE(0) "
        "estimates of random effects (Rao 1971; Hartley, Rao and LaMotte 1978)."
    )


def _categories(document: Mapping[str, Any]) -> Iterator[str]:
    cutoffs = ", ".join(f"{cutoff:g}" for cutoff in document["settings"]["cutoffs"])
    yield (
        f"At the cut-offs {cutoffs} (unrounded scores, at least) we report overall, positive and "
        "negative percent "
        "agreement (OPA, PPA, NPA; FDA 2007), average positive and negative agreement (APA, ANA; "
        "Cicchetti and "
        "Feinstein 1990), Cohen's kappa (1960; weighted 1968), Fleiss' kappa (1971), Krippendorff's "
        "alpha (2011), "
        "Gwet's AC1 and AC2 (2008) and the exact McNemar test, with the prevalence. Indeterminate "
        "reads were left "
        "out, counted as reaching the cut-off, and counted as below it. The ONEST curve "
        "(Reisenbichler 2020) is the "
        "exact mean over all sets of readers."
    )
    if document["software"]:
        yield (
            "Software and readers were judged alike: each reader, and the software, against the "
            "consensus of all "
            "other readers. Non-inferiority holds when the interval of the difference lies above "
            f"−{document['settings']['margin']:g}."
        )


def _intervals(document: Mapping[str, Any]) -> Iterator[str]:
    settings, versions = document["settings"], document["provenance"]
    yield (
        f"{100 * settings['level']:g} % intervals are expanded percentile bootstrap intervals (Hesterberg "
        f"2015) of {settings['replicates']:,} draws of patients, with all cases of a patient together (seed "
        f"{settings['seed']}), unless a formula is named; proportions have Wilson intervals (1927). "
        "Readers were "
        "not drawn: intervals are for these readers."
    )
    yield (
        f"Computed with cxpath {versions['cxpath']} (Python {versions['python']}, NumPy "
        f"{versions['numpy']}, SciPy "
        f"{versions['scipy']})."
    )
