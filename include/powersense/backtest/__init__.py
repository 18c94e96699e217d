"""`make backtest`: read stored history or files, walk forward over it, say how good the forecasts were."""
