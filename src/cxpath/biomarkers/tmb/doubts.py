"""What makes a tumour mutational burden less sure (clinical brief 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scipy.stats import fisher_exact

from cxpath.biomarkers.tmb.preset import Preset
from cxpath.values.variants import Variant

LEAST_MEGABASES = 1.0
LEAST_PURITY = 0.2
DEAMINATION_FRACTION = 0.1
"""Formalin's C>T changes lie below this allele fraction (brief: 5 to 10 %)."""
DEAMINATION_P = 0.01
_C_TO_T = {("C", "T"), ("G", "A")}


def doubts(
    counted: Sequence[Variant],
    preset: Preset,
    megabases: float,
    matched_normal: bool | None,  # noqa: FBT001  (three-valued)
    purity: float | None,
) -> Iterator[str]:
    """Yield every doubt about a result, in words."""
    yield f"{preset.title}: made after the example of that method, not interchangeable with it"
    if megabases < LEAST_MEGABASES:
        yield f"{megabases:.3g} Mb is less than 1 Mb: the interval is wide"
    if matched_normal is None:
        yield "whether a matched normal was used is not stated (--normal): tumour-only is biased upwards"
    elif not matched_normal:
        expects = "; the method expects a matched normal" if preset.expects_matched_normal else ""
        yield (
            "tumour-only: germline variants remain, more so in ancestries that databases cover less; "
            f"the burden is biased upwards{expects}"
        )
    if purity is None:
        yield "the share of tumour cells is not stated (--purity); at least 20 % is asked for"
    elif purity < LEAST_PURITY:
        yield f"only {purity:.0%} tumour cells, at least 20 % is asked for: variants may be missed"
    yield from _deamination(counted)


def _deamination(counted: Sequence[Variant]) -> Iterator[str]:
    """Compare the share of C>T among faint variants with that among the others (Fisher's exact test)."""
    single = [
        v for v in counted if len(v.reference) == len(v.alternate) == 1 and v.allele_fraction is not None
    ]
    faint = [v for v in single if (v.allele_fraction or 0.0) < DEAMINATION_FRACTION]
    strong = [v for v in single if (v.allele_fraction or 0.0) >= DEAMINATION_FRACTION]
    table = [
        [sum(_is_c_to_t(v) for v in part), sum(not _is_c_to_t(v) for v in part)] for part in (faint, strong)
    ]
    if not faint or not strong:
        return
    p = float(fisher_exact(table, alternative="greater").pvalue)
    if p < DEAMINATION_P:
        share = table[0][0] / len(faint)
        yield (
            f"C>T makes {share:.0%} of the {len(faint)} variants below 10 % allele fraction, more than among "
            f"the others (p = {p:.2g}): formalin may have made them"
        )


def _is_c_to_t(variant: Variant) -> bool:
    return (variant.reference.upper(), variant.alternate.upper()) in _C_TO_T
