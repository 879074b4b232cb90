"""From cells to CPS and TPS, with intervals. Pure: no torch, no files, no drugs."""
