"""PowerSense: ingest, version, score and watch the French electricity load."""

__version__ = "0.1.0"
