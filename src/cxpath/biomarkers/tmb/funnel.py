"""The funnel: one filter after the other, with how many variants each leaves out, and which did not apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cxpath.biomarkers.tmb.preset import Preset
from cxpath.values.genome_intervals import GenomeIntervals
from cxpath.values.variants import Consequence, Known, SampleVariants, Variant

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
    kept: Sequence[Variant] = sample.variants
    steps = [FunnelStep("in the file", len(kept))]
    for one in _filters(preset, panel):
        if one.needs is not None and one.needs not in sample.known:
            steps.append(_idle(one.step, len(kept), f"the file does not state: {one.needs}"))
            continue
        judged = [(variant, one.keep(variant)) for variant in kept]
        left = [variant for variant, keep in judged if keep is not False]
        unknown = sum(keep is None for _, keep in judged)
        steps.append(FunnelStep(one.step, len(left), len(kept) - len(left), unknown))
        kept = left
    if panel is None:
        steps.insert(1, _idle("in the panel", len(sample.variants), "no BED was given"))
    return tuple(kept), tuple(steps)


def _idle(step: str, left: int, why_not: str) -> FunnelStep:
    return FunnelStep(step, left, applied=False, why_not=why_not)


def _filters(preset: Preset, panel: GenomeIntervals | None) -> Iterator[_Filter]:
    seen: set[tuple[str, int, str, str]] = set()
    if panel is not None:
        yield _Filter("in the panel", lambda v: panel.holds(v.chromosome, v.position))
    yield _Filter("passed the caller's filters", lambda v: v.passed, Known.FILTER)
    yield _Filter("each variant once", lambda v: _first_time(v, seen))
    yield _Filter(preset.counts, _counted(preset), Known.CONSEQUENCE)
    if not preset.multi_nucleotide:
        yield _Filter("no multi-nucleotide exchange", lambda v: not v.is_multi_nucleotide)
    yield from _reads(preset)
    yield from _origin(preset)


def _first_time(variant: Variant, seen: set[tuple[str, int, str, str]]) -> bool:
    if variant.place in seen:
        return False
    seen.add(variant.place)
    return True


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
