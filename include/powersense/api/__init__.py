"""The HTTP API of PowerSense: one FastAPI app, mounted in Airflow's server by a plugin or alone with API keys."""

URL_PREFIX = "/powersense/api/v1"
