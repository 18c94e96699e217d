"""Load forecasting: features, models, intervals and scorecards. Pure: time and seeds are arguments."""
