"""Tumour mutational burden from variants: filters, counts, interval and doubts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from scipy.special import gammaincinv
from scipy.stats import fisher_exact

from cxpath.data import Consequence, GenomeIntervals, Known, SampleVariants, Settings, Variant
from cxpath.errors import VariantsFileError

# The exact interval of a count, which limits how well any score or burden made from it is known.


def exact_count_interval(count: float, level: float = 0.95) -> tuple[float, float]:
    """Return Garwood's exact interval of a Poisson count.

    Parameters
    ----------
    count : float
        Observed events; may be fractional where it was recovered from a rounded ratio.
    level : float
        Coverage aimed at.

    Returns
    -------
    tuple of float
        From gamma(count) at (1 - level)/2 to gamma(count + 1) at 1 - (1 - level)/2. Garwood, Biometrika
        1936;28:437. Clinical brief 0.5 and 3.1 use it.
    """
    tail = (1.0 - level) / 2.0
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return low, float(gammaincinv(count + 1.0, 1.0 - tail))


# A preset: which variants count, after the example of a published method, and never the same as it.


class Preset(Settings):
    """One file of `configs/tmb`; a filter that is not set does nothing."""

    name: str = Field(pattern=r"_like$|_nonsyn$")
    title: str
    """As printed; always "-like"."""
    counts: Literal["coding", "non-synonymous"]
    """Coding: synonymous variants, too."""
    multi_nucleotide: bool = True
    """Whether exchanges of several bases count."""
    minimum_depth: int | None = None
    minimum_alternate_reads: int | None = None
    minimum_allele_fraction: float | None = None
    minimum_allele_fraction_hotspot: float | None = None
    germline_frequency_from: float | None = None
    """Variants as frequent in a germline database, or more so, are left out."""
    germline_count_from: int | None = None
    cosmic_count_above: int | None = None
    leave_out_drivers: bool = False
    expects_matched_normal: bool = False
    needs: tuple[Known, ...] = ()
    """What the file must say, or the preset is refused."""
    not_reproduced: tuple[str, ...] = ()
    """What the method does, too, and this does not."""
    source: str
    as_of: str
    certainty: str


# What makes a tumour mutational burden less sure (clinical brief 3.1).


LEAST_MEGABASES = 1.0
MOST_PER_MEGABASE = 1_000
"""Tumours that cannot mend or copy their DNA rightly have up to several hundred."""
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
    yield f"{preset.title}: modelled on that method, not interchangeable with it"
    if megabases < LEAST_MEGABASES:
        yield f"{megabases:.3g} Mb is less than 1 Mb: the interval is wide"
    if len(counted) > MOST_PER_MEGABASE * megabases:
        yield (
            f"more than {MOST_PER_MEGABASE:,} per Mb, beyond any known tumour: "
            f"check the megabases ({megabases:g})"
        )
    if matched_normal is None:
        yield "whether a matched normal was used is not stated (--normal): tumour-only is biased upwards"
    elif not matched_normal:
        expects = "; the method expects a matched normal" if preset.expects_matched_normal else ""
        yield (
            "tumour-only: germline variants remain, more so in ancestries that databases cover less; "
            f"the burden is biased upwards{expects}"
        )
    if purity is None:
        yield "the share of tumour cells is not stated (--purity); at least 20 % is required"
    elif purity < LEAST_PURITY:
        yield f"only {purity:.0%} tumour cells, at least 20 % is required: variants may be missed"
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
            f"the others (p = {p:.2g}): they may be formalin artefacts"
        )


def _is_c_to_t(variant: Variant) -> bool:
    return (variant.reference.upper(), variant.alternate.upper()) in _C_TO_T


# The funnel: one filter after the other, with how many variants each leaves out, and which did not apply.


IN_THE_PANEL = "in the panel"
Keep = Callable[[Variant], bool | None]


@dataclass(frozen=True)
class FunnelStep:
    """One step.

    Parameters
    ----------
    step : str
    left : int
        Variants after it.
    removed : int
    unknown : int
        Variants kept, because the file says nothing about them.
    applied : bool
    why_not : str
        Why it was not applied.
    """

    step: str
    left: int
    removed: int = 0
    unknown: int = 0
    applied: bool = True
    why_not: str = ""


@dataclass(frozen=True)
class _Filter:
    step: str
    keep: Keep
    needs: Known | None = None


def run_funnel(
    sample: SampleVariants, preset: Preset, panel: GenomeIntervals | None
) -> tuple[tuple[Variant, ...], tuple[FunnelStep, ...]]:
    """Return the variants that count, and the steps that led to them.

    Parameters
    ----------
    sample : SampleVariants
    preset : Preset
    panel : GenomeIntervals or None
    """
    kept: Sequence[Variant] = [variant.trimmed() for variant in sample.variants]
    steps = [FunnelStep("in the file", len(kept))]
    for one in _filters(sample, preset, panel):
        if one.needs is not None and one.needs not in sample.known:
            steps.append(_idle(one.step, len(kept), f"the file does not state: {one.needs}"))
            continue
        evaluated = [(variant, one.keep(variant)) for variant in kept]
        left = [variant for variant, keep in evaluated if keep is not False]
        unknown = sum(keep is None for _, keep in evaluated)
        steps.append(FunnelStep(one.step, len(left), len(kept) - len(left), unknown))
        kept = left
    once = _each_once(kept)  # last, so that any row of a variant (one a transcript, one a caller) is enough
    steps.append(FunnelStep("each variant once", len(once), len(kept) - len(once)))
    if panel is None:
        steps.insert(1, _idle(IN_THE_PANEL, len(sample.variants), "no BED was given"))
    return once, tuple(steps)


def funnel_cautions(steps: Sequence[FunnelStep]) -> Iterator[str]:
    """Yield which of the preset's filters left nothing, did nothing, or not for all variants."""
    if not steps[0].left:
        yield "the file contains no variant of the sample: 0 is right only if the caller found none"
    for one in steps:
        if one.removed and not one.left:
            yield (
                f"no variant is left after {one.step!r}, which removed {one.removed} of {steps[0].left}: "
                "check what the file states there"
            )
    idle = [one.step for one in steps if not one.applied and one.step != IN_THE_PANEL]
    if idle:
        yield (
            "filters that were not applied, because the file lacks what they need; too many "
            f"variants may count: {'; '.join(idle)}"
        )
    unjudged = [f"{one.step} ({one.unknown} of {one.left + one.removed})" for one in steps if one.unknown]
    if unjudged:
        yield (f"variants were kept although the file lacks what a filter needs: {'; '.join(unjudged)}")


def _idle(step: str, left: int, why_not: str) -> FunnelStep:
    return FunnelStep(step, left, applied=False, why_not=why_not)


def _filters(sample: SampleVariants, preset: Preset, panel: GenomeIntervals | None) -> Iterator[_Filter]:
    if panel is not None:
        yield _Filter(IN_THE_PANEL, lambda v: panel.touches(v.chromosome, *v.bases))
    yield _Filter("no structural variant", lambda v: v.is_countable)
    yield _Filter("passed the caller's filters", lambda v: v.passed, Known.FILTER)
    if sample.status_field:
        yield _Filter(f"somatic ({sample.status_field})", lambda v: v.somatic, Known.SOMATIC)
    yield _Filter(preset.counts, _counted(preset), Known.CONSEQUENCE)
    if not preset.multi_nucleotide:
        yield _Filter("no multi-nucleotide exchange", lambda v: not v.is_multi_nucleotide)
    yield from _reads(preset)
    yield from _origin(preset)


def _each_once(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return each variant once.

    Callers may write neighbouring exchanges as one and also one by one; what is part of a longer exchange
    in the list is not counted again.
    """
    parts = {place for variant in variants for place in variant.parts()}
    kept: dict[tuple[str, int, str, str], Variant] = {}
    for variant in variants:
        if variant.place not in parts:
            kept.setdefault(variant.place, variant)
    return tuple(kept.values())


def _counted(preset: Preset) -> Keep:
    counted = {Consequence.NON_SYNONYMOUS}
    if preset.counts == "coding":
        counted.add(Consequence.SYNONYMOUS)
    return lambda variant: variant.consequence in counted


def _reads(preset: Preset) -> Iterator[_Filter]:
    depth, reads = preset.minimum_depth, preset.minimum_alternate_reads
    fraction, hotspot = preset.minimum_allele_fraction, preset.minimum_allele_fraction_hotspot
    if depth is not None:
        yield _Filter(f"depth ≥ {depth}", lambda v: _at_least(v.depth, depth), Known.DEPTH)
    if reads is not None:
        yield _Filter(
            f"alternate reads ≥ {reads}", lambda v: _at_least(v.alternate_reads, reads), Known.ALTERNATE_READS
        )
    if fraction is not None:
        lower = "" if hotspot is None else f" (hotspots ≥ {hotspot:g})"
        yield _Filter(
            f"allele fraction ≥ {fraction:g}{lower}",
            lambda v: _at_least(v.allele_fraction, hotspot if hotspot is not None and v.driver else fraction),
            Known.ALLELE_FRACTION,
        )


def _origin(preset: Preset) -> Iterator[_Filter]:
    frequency, count, cosmic = (
        preset.germline_frequency_from,
        preset.germline_count_from,
        preset.cosmic_count_above,
    )
    if frequency is not None:
        yield _Filter(
            f"germline database frequency < {frequency:g}",
            lambda v: v.germline_frequency is None or v.germline_frequency < frequency,
            Known.GERMLINE_FREQUENCY,
        )
    if count is not None:
        yield _Filter(
            f"germline database allele count < {count}",
            lambda v: v.germline_count is None or v.germline_count < count,
            Known.GERMLINE_COUNT,
        )
    if cosmic is not None:
        yield _Filter(
            f"COSMIC count ≤ {cosmic}",
            lambda v: v.cosmic_count is None or v.cosmic_count <= cosmic,
            Known.COSMIC_COUNT,
        )
    if preset.leave_out_drivers:
        yield _Filter("no known or likely driver", lambda v: v.driver is not True, Known.DRIVER)


def _at_least(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


# TMB: counted variants over megabases, with the exact interval of the count.


LEVEL = 0.95
_MOST_APART = 0.25
_HOW_TO_ANNOTATE = {
    Known.CONSEQUENCE: "annotate with VEP (CSQ) or snpEff (ANN)",
    Known.GERMLINE_FREQUENCY: "annotate with gnomAD or ExAC frequencies, or choose another preset",
    Known.GERMLINE_COUNT: "annotate with gnomAD or ExAC allele counts, or choose another preset",
    Known.COSMIC_COUNT: "annotate with COSMIC counts (COSMIC_CNT), or choose another preset",
}


@dataclass(frozen=True)
class Circumstances:
    """What a file of variants cannot say.

    Parameters
    ----------
    matched_normal : bool or None
        Whether a normal sample was called against; wins over the file.
    purity : float or None
        Share of tumour cells, 0 to 1.
    """

    matched_normal: bool | None = None
    purity: float | None = None


STATED_NOTHING = Circumstances()


@dataclass(frozen=True)
class Burden:
    """TMB of one sample.

    Parameters
    ----------
    value : float
        Variants per megabase.
    interval : tuple of float
        Exact 95 % interval of the count, over the same megabases.
    warnings : tuple of str
        First what was left out of the file, not understood or not applied; then the method's own limits.
    """

    sample: str
    preset: Preset
    value: float
    interval: tuple[float, float]
    variants: int
    megabases: float
    funnel: tuple[FunnelStep, ...]
    warnings: tuple[str, ...]


def require_annotation(sample: SampleVariants, preset: Preset, file: object) -> None:
    """Refuse a file that does not say what the preset needs.

    Raises
    ------
    VariantsFileError
        With the reason, and what to do.
    """
    for need in preset.needs:
        if need not in sample.known or (need is Known.CONSEQUENCE and _none_annotated(sample)):
            reason = (
                f"the variants carry no consequence (neither CSQ nor ANN), so that {preset.counts} ones "
                "cannot be determined"
                if need is Known.CONSEQUENCE
                else f"the variants carry no {need}"
            )
            hint = _HOW_TO_ANNOTATE.get(need, "choose another preset")
            raise VariantsFileError(f"{file}: preset {preset.name} is refused: {reason}", hint)


def _none_annotated(sample: SampleVariants) -> bool:
    """Say whether a field for consequences is declared, but empty at every variant."""
    small = [variant for variant in sample.variants if variant.is_countable]
    return bool(small) and all(variant.consequence is None for variant in small)


def _without_consequence(sample: SampleVariants) -> Iterator[str]:
    lacking = sum(variant.is_countable and variant.consequence is None for variant in sample.variants)
    if lacking:
        variants = "1 variant carries" if lacking == 1 else f"{lacking} variants carry"
        yield f"{variants} no consequence and cannot be counted"


def _impossible_reads(sample: SampleVariants) -> Iterator[str]:
    pairs = ((variant.alternate_reads, variant.depth) for variant in sample.variants)
    wrong = sum(reads is not None and depth is not None and reads > depth for reads, depth in pairs)
    if wrong:
        variants = "1 variant states" if wrong == 1 else f"{wrong} variants state"
        yield f"{variants} more reads of the allele than reads in all"
    apart = sum(_fraction_misses_reads(variant) for variant in sample.variants)
    if apart:
        variants = "1 variant states" if apart == 1 else f"{apart} variants state"
        yield f"{variants} an allele fraction that its reads and depth do not give"


def _fraction_misses_reads(variant: Variant) -> bool:
    """Say whether fraction and reads are of two things: callers' own fractions lie close to the reads'."""
    reads, depth, fraction = variant.alternate_reads, variant.depth, variant.allele_fraction
    return (
        reads is not None
        and bool(depth)
        and fraction is not None
        and abs(reads / (depth or 1) - fraction) > _MOST_APART
    )


def mutational_burden(
    sample: SampleVariants,
    preset: Preset,
    megabases: float,
    panel: GenomeIntervals | None = None,
    circumstances: Circumstances = STATED_NOTHING,
) -> Burden:
    """Count what the preset counts and divide by the megabases.

    Parameters
    ----------
    sample : SampleVariants
    preset : Preset
    megabases : float
        The size of what was looked at: merged and callable.
    panel : GenomeIntervals, optional
        Variants outside do not count.
    circumstances : Circumstances
    """
    counted, funnel = run_funnel(sample, preset, panel)
    low, high = exact_count_interval(len(counted), LEVEL)
    stated = circumstances.matched_normal
    matched = stated if stated is not None else sample.matched_normal
    return Burden(
        sample=sample.sample,
        preset=preset,
        value=len(counted) / megabases,
        interval=(low / megabases, high / megabases),
        variants=len(counted),
        megabases=megabases,
        funnel=funnel,
        warnings=(
            *sample.cautions,
            *_without_consequence(sample),
            *_impossible_reads(sample),
            *funnel_cautions(funnel),
            *doubts(counted, preset, megabases, matched, circumstances.purity),
        ),
    )
