"""Data quality: pure rules, the life of an alert, and who is told."""
