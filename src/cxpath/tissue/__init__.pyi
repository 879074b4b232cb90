from .settings import (
    ControlSettings as ControlSettings,
    TissueSettings as TissueSettings,
)
from .tissue import (
    Tissue as Tissue,
    find_tissue as find_tissue,
    read_overview as read_overview,
    tissue_mask as tissue_mask,
)
