"""A patient's biomarkers and the therapy criteria they meet. Pure."""
