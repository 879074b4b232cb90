"""Where there is tissue, whether its stain can be scored, and what its two stains look like."""
