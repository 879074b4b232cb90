"""Tumour mutational burden from variants: presets as data, filters one by one, an exact interval."""
