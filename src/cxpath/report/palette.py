"""The colours of pictures and page: Okabe & Ito's, told apart by colour-blind readers, never used alone."""

from __future__ import annotations

Colour = tuple[int, int, int]

POSITIVE: Colour = (230, 120, 0)
POSITIVE_EDGE: Colour = (110, 44, 0)
NEGATIVE: Colour = (0, 114, 178)
OTHER: Colour = (90, 90, 90)
SCORED: Colour = (0, 90, 156)
EXCLUDED: Colour = (170, 68, 0)
INK: Colour = (38, 44, 52)
PAPER: Colour = (255, 255, 255)

LEFT_OUT: tuple[Colour, ...] = (
    (170, 68, 0),
    (0, 0, 0),
    (204, 60, 150),
    (0, 120, 90),
    (200, 0, 0),
    (0, 90, 156),
    (140, 100, 0),
    (95, 40, 140),
)
"""Reasons for leaving tissue out; each has a pattern of its own beside its colour."""
