"""Agreement between readers and with the software: statistics, studies, planning and calibration. Pure."""
