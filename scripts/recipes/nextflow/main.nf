#!/usr/bin/env nextflow
// Score a folder of slides with cxpath, one process a slide, and gather them into one cohort table.
//
//   nextflow run scripts/recipes/nextflow --slides 'slides/*.svs' --assay 22c3 --out results
//   nextflow run scripts/recipes/nextflow -profile docker    --slides '...' --assay 22c3
//   nextflow run scripts/recipes/nextflow -profile slurm     --slides '...' --assay 22c3
//
// A slide without a score (exit code 4: not evaluable) stays in the table, with its reason. A slide that failed is
// named by Nextflow and missing from the table. `-resume` continues. Slides of several files (MRXS, DICOM) are
// for `cxpath batch run`: Nextflow hands each process one file.
// For Research Use Only. Not for use in diagnostic procedures.

params.slides = null
params.assay = null
params.model = 'small'
params.out = 'cxpath-results'
params.extra = ''            // further options of `cxpath score`, such as '--mpp 0.25'

process SCORE {
    tag "${slide.name}"
    publishDir params.out, mode: 'copy'
    errorStrategy { task.exitStatus in [137, 143] ? 'retry' : 'ignore' }
    maxRetries 2

    input:
    path slide

    output:
    path "${slide.baseName}"

    script:
    """
    status=0
    cxpath score '${slide}' --assay '${params.assay}' --model '${params.model}' \\
        --out '${slide.baseName}' ${params.extra} || status=\$?
    # 4: not evaluable. The folder says why; it is a result, not a failure.
    [ "\$status" -eq 0 ] || [ "\$status" -eq 4 ]
    """
}

process COHORT {
    publishDir params.out, mode: 'copy'

    input:
    path 'scored/*'

    output:
    path 'scores.csv'

    script:
    """
    score_table.py scored scores.csv
    """
}

workflow {
    if (!params.slides || !params.assay) {
        error "Give the slides and the assay: --slides 'slides/*.svs' --assay 22c3"
    }
    slides = channel.fromPath(params.slides, checkIfExists: true)
    COHORT(SCORE(slides).collect())
}
