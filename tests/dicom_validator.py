"""dciodvfy, the validator of DICOM objects in Debian's dicom3tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pydicom

from tests.debian_packages import require_program

_FALSE_ALARM = "CommonZCoordinateValue(006a,0010)> - Only valid for AnnotationCoordinateType of 3D"
"""What dicom3tools 1.00~20220618 says of every group with 2D coordinates, also without the attribute: its
rule has the condition "not 3D" alone. It is no error where the attribute is absent."""


def dicom_errors(path: Path) -> list[str]:
    """Return the errors that dciodvfy finds in a file."""
    program = require_program("dciodvfy", "dicom3tools")
    done = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert any("ComprehensiveSR" in line or "MicroscopyBulkSimpleAnnotations" in line for line in said), said
    errors = [line for line in said if line.startswith("Error")]
    groups = pydicom.dcmread(path).get("AnnotationGroupSequence", ())
    assert not any("CommonZCoordinateValue" in group for group in groups)
    return [line for line in errors if _FALSE_ALARM not in line]
