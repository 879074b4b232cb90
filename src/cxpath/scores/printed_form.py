"""How a score is printed: floored, so that the printed number never crosses a cut-off."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal


def printed_form(score: float) -> str:
    """Return the score as a reader sees it.

    0 is "0", anything above it and below 1 is "<1", below 10 one decimal is kept, from 10 on none; always
    floored: 0.96 is "<1", 9.96 is "9.9". No official rounding rule is known (clinical brief 1.2), and
    every cut-off in use is a multiple of the printed step.
    """
    exact = Decimal(repr(float(score)))
    if exact <= 0:
        return "0"
    if exact < 1:
        return "<1"
    step = Decimal("0.1") if exact < 10 else Decimal("1")
    return str(exact.quantize(step, rounding=ROUND_FLOOR))


def two_decimals(score: float) -> str:
    """Return the score with two decimals, floored likewise: 0.996 is "0.99", not "1.00"."""
    return str(Decimal(repr(float(score))).quantize(Decimal("0.01"), rounding=ROUND_FLOOR))
