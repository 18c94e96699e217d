"""Detectors of anomalous load, one a file, and what their anomalies amount to. Pure: no Airflow, no client."""
