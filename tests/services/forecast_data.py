"""Forecasts for the tests: what is expected of each half-hour, as rows of `forecasts` issued when we choose."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from powersense.forecasting.interface import QUANTILES
from powersense.warehouse.client import connect

# Standard normal deviates of the seven quantiles.
DEVIATES = dict(zip(QUANTILES, (-1.9600, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.9600), strict=True))
COLUMNS = {level: f"q{round(level * 1000):03d}_mw" for level in QUANTILES}


def issued(
    expected: pd.DataFrame, issues: pd.DatetimeIndex, *, steps: int = 336, spread: float = 0.02, model: str = "test"
) -> pd.DataFrame:
    """Return the rows of forecasts that know `expected`.

    Args:
        expected: `area`, `observed_at` (UTC half-hour), `value` (MW).
        issues: issue times, UTC.
        steps: half-hours of each issue that are kept.
        spread: standard deviation as a share of the expected load.
        model: name on the rows.
    """
    targets = pd.DataFrame({"issued_at": issues.as_unit("s")}).merge(pd.DataFrame({"step": range(steps)}), how="cross")
    targets["target_at"] = targets["issued_at"] + pd.to_timedelta(targets["step"] * 30, unit="min").astype(
        "timedelta64[s]"
    )
    known = expected.rename(columns={"observed_at": "target_at"})
    rows = targets.merge(known, on="target_at")
    quantiles = {column: rows["value"] * (1 + spread * DEVIATES[level]) for level, column in COLUMNS.items()}
    keys = rows.assign(lead_minutes=rows["step"] * 30, model_id=f"{model}-1", model=model)
    return keys.drop(columns=["step", "value"]).assign(**quantiles)


def store(rows: pd.DataFrame, *, inserted_at: datetime | None = datetime(2017, 1, 1, tzinfo=UTC)) -> None:
    """Insert rows into `forecasts`, stored at an instant of our choice (None: now)."""
    stamp = pd.Timestamp(inserted_at or datetime.now(UTC))
    stored = rows.assign(
        vintage="consolidated", fallback_level=0, fallback_reason="", load_age_minutes=30, run_id="test"
    )
    with connect("writer") as client:
        client.insert_df("forecasts", stored.assign(inserted_at=stamp))
