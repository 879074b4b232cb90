"""The patient's biomarkers and history: what is known, by which test, and what is not. Pure, no drugs."""
