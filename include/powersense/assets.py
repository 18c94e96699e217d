"""The Airflow assets through which DAGs meet; each carries its table's name."""

from __future__ import annotations

from airflow.sdk import Asset

MEASUREMENTS = Asset(name="measurements", uri="clickhouse://powersense/measurements")
WEATHER = Asset(name="weather_observations", uri="clickhouse://powersense/weather_observations")
SCORES = Asset(name="scores", uri="clickhouse://powersense/scores")
FORECASTS = Asset(name="forecasts", uri="clickhouse://powersense/forecasts")
MARTS = Asset(name="marts", uri="clickhouse://powersense_marts/all")
