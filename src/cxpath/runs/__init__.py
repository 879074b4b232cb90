"""The story: score one slide, draw and score the demo. No formulas here."""
