"""From peaks to cells: class, calibrated probability, one cell once. Pure numpy."""
