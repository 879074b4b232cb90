"""Drawn H-DAB tissue with exact truth for every cell and region."""
