"""Therapy criteria as data, judged with three values against a profile. Pure; never a recommendation."""
