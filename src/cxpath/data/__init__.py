"""Values that packages share: cells, slides, regions, reads, variants, settings. Pure."""
