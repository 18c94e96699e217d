"""Weather ingestion, as the steps that DAGs name: plan, fetch and store; and the forecast.

Every step returns keys and counts only; rows travel through ClickHouse's landing table.
"""

from powersense.weather.fetching import fetch_files, fetch_observations
from powersense.weather.forecasts import store_forecasts
from powersense.weather.outcome import skip_without_key
from powersense.weather.planning import chosen_departments, plan_files, plan_observations

__all__ = [
    "chosen_departments",
    "fetch_files",
    "fetch_observations",
    "plan_files",
    "plan_observations",
    "skip_without_key",
    "store_forecasts",
]
