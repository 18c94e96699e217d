-- All tables of a scoring's session; those that it has not come to are passed over.
DROP TEMPORARY TABLE IF EXISTS
    scoring_targets,
    scoring_labels,
    scoring_known,
    scoring_superseded,
    scoring_points,
    scoring_wider_bands,
    scoring_flags,
    scoring_results,
    scoring_final,
    scoring_changes
