"""Whole-slide images: readers, resolution, identity, privacy."""
