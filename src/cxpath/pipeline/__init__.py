"""Slide to cells: opens, masks, plans, streams, detects. Does not score or report."""
