"""Frozen values that rooms hand to each other, and the errors they raise.

Knows numpy and the standard library. Knows nothing of files, slides, networks or scores.
"""
