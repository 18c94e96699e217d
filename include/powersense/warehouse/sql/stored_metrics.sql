SELECT DISTINCT metric FROM measurements ORDER BY metric
