"""Under which names files keep what a preset asks for, and how such an entry is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cxpath.values.variants import Known, Variant

GERMLINE_FREQUENCY = ("MAX_AF", "gnomAD_AF", "gnomADe_AF", "gnomADg_AF", "ExAC_AF", "EXAC_AF")
GERMLINE_COUNT = ("gnomAD_AC", "gnomADe_AC", "gnomADg_AC", "ExAC_AC", "EXAC_AC")
COSMIC_COUNT = ("COSMIC_CNT", "COSMIC_COUNT", "cosmic_count")
DRIVER = ("HOTSPOT", "Hotspot", "hotspot", "DRIVER", "ONCOGENIC")
ASKED = (*GERMLINE_FREQUENCY, *GERMLINE_COUNT, *COSMIC_COUNT, *DRIVER)
"""Every name that is looked for."""

NAMES = {
    Known.GERMLINE_FREQUENCY: GERMLINE_FREQUENCY,
    Known.GERMLINE_COUNT: GERMLINE_COUNT,
    Known.COSMIC_COUNT: COSMIC_COUNT,
    Known.DRIVER: DRIVER,
}
_YES = frozenset({"1", "true", "yes", "y", "oncogenic", "likely oncogenic", "likely_oncogenic"})
_NOTHING = frozenset({"", ".", "-", "na", "nan", "none"})


def known_by(names: Iterable[str]) -> frozenset[Known]:
    """Return what columns or fields of these names say about variants."""
    present = frozenset(names)
    return frozenset(what for what, candidates in NAMES.items() if present & frozenset(candidates))


def with_databases(variant: Variant, named: Mapping[str, Sequence[str]]) -> Variant:
    """Return a variant with what databases say of it, read from all entries that stand under each name."""

    def under(names: Sequence[str]) -> list[str]:
        return [entry for name in names for entry in named.get(name, ())]

    return replace(
        variant,
        germline_frequency=_largest(under(GERMLINE_FREQUENCY)),
        germline_count=_whole(_largest(under(GERMLINE_COUNT))),
        cosmic_count=_whole(_largest(under(COSMIC_COUNT))),
        driver=_is_driver(under(DRIVER)),
    )


def _largest(entries: Iterable[str]) -> float | None:
    """Return the largest number among entries such as "0.001&0.0002"; None where there is none."""
    numbers = []
    for entry in entries:
        for part in entry.replace("&", ",").split(","):
            try:
                numbers.append(float(part))
            except ValueError:
                continue
    return max(numbers, default=None)


def _whole(number: float | None) -> int | None:
    """Return a count."""
    return None if number is None else int(number)


def _is_driver(entries: Iterable[str]) -> bool | None:
    """Say whether an entry calls the variant a driver; None where nothing is said."""
    said = [entry.strip().lower() for entry in entries if entry.strip().lower() not in _NOTHING]
    return any(entry in _YES for entry in said) if said else None
