"""Load forecasting: features, models, intervals and scorecards. Pure: no Airflow, no client, time and seeds are arguments."""
