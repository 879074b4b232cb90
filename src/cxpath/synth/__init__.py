"""Synthetic tissue and slides whose every cell is known."""
