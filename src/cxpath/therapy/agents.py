"""Agents by kind, as far as the cautions and earlier therapies ask for them."""

from __future__ import annotations

IMMUNE_CHECKPOINT = frozenset(
    {
        "pembrolizumab",
        "nivolumab",
        "cemiplimab",
        "dostarlimab",
        "atezolizumab",
        "cadonilimab",
        "zimberelimab",
        "socazolimab",
        "enlonstobart",
        "iparomlimab",
        "iparomlimab/tuvonralimab",
    }
)
"""Those of the clinical brief 2.1 and 2.2."""

PACLITAXEL = frozenset({"paclitaxel", "nab-paclitaxel"})
"""Its neuropathy adds to that of tisotumab vedotin (brief 2.3)."""
