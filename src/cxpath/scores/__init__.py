"""CPS and the other scores, their intervals, fields and samples. Pure."""
