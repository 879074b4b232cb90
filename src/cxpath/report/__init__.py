"""Pages and pictures: slide report, board page, cohort, agreement, evaluation, FHIR."""
