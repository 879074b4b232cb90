"""Figures with intervals, confusion tables and reliability curves."""
