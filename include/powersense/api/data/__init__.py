"""What is stored, read and pushed: measurements, scores, forecasts, weather, runs."""
