"""The page that people see: static files, served behind Airflow's login or alone, over the API."""

URL_PREFIX = "/powersense/page"
