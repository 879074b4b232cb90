from .atomic import (
    append_durably as append_durably,
    atomic_write as atomic_write,
    claimed as claimed,
    claimed_in_time as claimed_in_time,
    clear_leftovers as clear_leftovers,
    folder_for as folder_for,
    is_gzipped as is_gzipped,
    leftovers_of as leftovers_of,
    output_error as output_error,
    partial_path as partial_path,
    read_content as read_content,
    write_json as write_json,
)
from .cell_classes import (
    CLASS_NAMES as CLASS_NAMES,
    CellClasses as CellClasses,
    default_cell_classes as default_cell_classes,
    read_cell_classes as read_cell_classes,
    to_cell_table as to_cell_table,
)
from .cells import (
    CellsGeojsonWriter as CellsGeojsonWriter,
    CellsWriter as CellsWriter,
    read_cells as read_cells,
    read_table as read_table,
    write_cells as write_cells,
    write_table as write_table,
)
from .dicom import (
    ARTIFICIAL_INTELLIGENCE as ARTIFICIAL_INTELLIGENCE,
    IMMUNOHISTOCHEMISTRY as IMMUNOHISTOCHEMISTRY,
    MANUFACTURER as MANUFACTURER,
    NO_UNITS as NO_UNITS,
    PER_CENT as PER_CENT,
    Maker as Maker,
    add_coding_scheme as add_coding_scheme,
    derived_uid as derived_uid,
    image_of_digest as image_of_digest,
    image_of_series as image_of_series,
    new_uid as new_uid,
    own_code as own_code,
    read_annotations as read_annotations,
    write_annotations as write_annotations,
)
from .foreign_cells import (
    read_given_cells as read_given_cells,
    read_h5ad as read_h5ad,
    refuse_unknown_staining as refuse_unknown_staining,
    write_h5ad as write_h5ad,
)
from .geojson import (
    UNCLASSIFIED as UNCLASSIFIED,
    Bounds as Bounds,
    FeatureShapeError as FeatureShapeError,
    class_name as class_name,
    contains_half_characters as contains_half_characters,
    from_qupath_frame as from_qupath_frame,
    geometry as geometry,
    lookalike_key as lookalike_key,
    lookalike_number as lookalike_number,
    nucleus as nucleus,
    object_type as object_type,
    parse_features as parse_features,
    plain as plain,
    refuse_repeats as refuse_repeats,
    shape_of as shape_of,
    to_qupath_frame as to_qupath_frame,
)
from .qupath_cells import cells_in_geojson as cells_in_geojson
from .reads import (
    TIDY_COLUMNS as TIDY_COLUMNS,
    read_reads as read_reads,
    refuse_lookalikes as refuse_lookalikes,
)
from .regions import (
    RegionClasses as RegionClasses,
    read_regions as read_regions,
)
from .tables import (
    plain_rows as plain_rows,
    write_rows as write_rows,
)
from .variants import (
    read_bed as read_bed,
    read_maf as read_maf,
)
from .vcf import (
    read_vcf as read_vcf,
)
