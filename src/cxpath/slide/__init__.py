"""Slide files: opening, µm/px, identity, reading any region at any µm/px. Knows nothing of tissue."""
