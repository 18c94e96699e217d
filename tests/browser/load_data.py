"""Ten years of France's load, a month of the regions' with a dark day in Bretagne, judged and forecast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from powersense.contracts import AREAS
from powersense.warehouse.client import connect

# What the page takes for the present.
NOW = datetime(2018, 1, 20, 12, tzinfo=UTC)
NEWEST = NOW - timedelta(minutes=15)
FIRST = datetime(2008, 1, 20, tzinfo=UTC)
RECENT = NOW - timedelta(days=30)
# A day of Paris on which a twentieth of Bretagne's load was published.
DARK_FROM, DARK_TO = datetime(2018, 1, 17, 23, tzinfo=UTC), datetime(2018, 1, 18, 23, tzinfo=UTC)
# An instant of France that was revised: real-time, corrected an hour later, and consolidated the next day.
REVISED = datetime(2018, 1, 19, 8, tzinfo=UTC)
VERSIONS = [
    (60_000.0, "realtime", 1, datetime(2018, 1, 19, 8, 20, 0, 250_000, tzinfo=UTC)),
    (61_500.0, "realtime", 2, datetime(2018, 1, 19, 9, 5, tzinfo=UTC)),
    (59_000.0, "consolidated", 1, datetime(2018, 1, 20, 6, tzinfo=UTC)),
]
EPISODE = "e0bretagne"
# Hostile on purpose: it is shown as a tooltip, never as markup.
EXPLANATION = "Load in Bretagne was up to 95% below what is expected <img src=x onerror=alert(1)>."

# A year's and a day's wave around an area's size; the exact value of any instant is known to the tests.
_LOAD = """
    round({size:Float64} * (
        1 + 0.25 * cos(2 * pi() * (toDayOfYear(at) - 20) / 365)
        + 0.12 * sin(2 * pi() * (toHour(at) * 60 + toMinute(at) - 540) / 1440)
    ))
"""
_LOADS = f"""
INSERT INTO measurements
    (metric, area, observed_at, vintage, publisher, version, value, source, retrieved_at, run_id, inserted_at)
SELECT 'consommation', {{area:String}}, at, 'realtime', 'rte', 1,
    {_LOAD} * if(
        {{area:String}} = 'Bretagne' AND at >= {{dark_from:DateTime('UTC')}} AND at < {{dark_to:DateTime('UTC')}},
        0.05, 1
    ),
    'eco2mix', at, 'made', at + INTERVAL 20 MINUTE
FROM (
    SELECT {{start:DateTime('UTC')}} + toIntervalSecond(number * {{step:UInt32}}) AS at
    FROM numbers(intDiv(dateDiff('second', {{start:DateTime('UTC')}}, {{end:DateTime('UTC')}}), {{step:UInt32}}))
)
WHERE {{area:String}} != 'France' OR at != {{revised:DateTime('UTC')}}
"""
_SCORES = f"""
INSERT INTO scores
    (detector, metric, area, observed_at, vintage, version, value, expected_mw, scale_mw, z_score, lower_mw, upper_mw,
     threshold, min_deviation_mw, sample_size, day_type, bucket, direction, is_anomaly, status, run_id)
SELECT 'baseline_zscore', metric, area, observed_at AS at, vintage, version, assumeNotNull(value),
    {_LOAD} AS expected, expected / 10, (assumeNotNull(value) - expected) / (expected / 10) AS z,
    expected * 0.8, expected * 1.2,
    3, 100, 50, 'weekday', 0, if(z < -3, 'low', 'none'), z < -3, 'scored', 'score'
FROM measurements
WHERE area = {{area:String}} AND observed_at >= {{recent:DateTime('UTC')}} AND vintage = 'realtime' AND version = 1
"""
_FORECASTS = f"""
INSERT INTO forecasts
    (area, issued_at, target_at, lead_minutes, model_id, model, q025_mw, q100_mw, q250_mw, q500_mw, q750_mw, q900_mw,
     q975_mw, vintage, fallback_level, fallback_reason, load_age_minutes, run_id, inserted_at)
SELECT {{area:String}}, {{issued:DateTime('UTC')}}, {{issued:DateTime('UTC')}} + toIntervalMinute(30 * number) AS at,
    30 * number, 'm1', 'gam', middle * 0.94, middle * 0.96, middle * 0.98, {_LOAD} * {{factor:Float64}} AS middle,
    middle * 1.02, middle * 1.04, middle * 1.06,
    'realtime', 0, '', 15, 'forecast', {{issued:DateTime('UTC')}} + INTERVAL 5 MINUTE
FROM numbers(336)
"""


def size_of(area: str) -> float:
    """Return an area's mean load in MW."""
    return 60_000.0 if area == "France" else 3_000.0 + 100 * [one.name for one in AREAS].index(area)


def fill_load() -> None:
    """Fill a warehouse with what the view of the load shows."""
    moments = {"dark_from": DARK_FROM, "dark_to": DARK_TO, "revised": REVISED, "recent": RECENT}
    with connect("writer") as client:
        client.insert_df("measurements", _revised())
        for area in (one.name for one in AREAS):
            told = moments | {"area": area, "size": size_of(area)}
            if area == "France":
                client.command(_LOADS, parameters=told | {"start": FIRST, "end": RECENT, "step": 3600})
            client.command(_LOADS, parameters=told | {"start": RECENT, "end": NOW, "step": 900})
            client.command(_SCORES, parameters=told)
            client.command(_FORECASTS, parameters=told | {"issued": NOW, "factor": 1.0})
        before = {
            "area": "France",
            "size": size_of("France"),
            "issued": datetime(2018, 1, 19, 8, tzinfo=UTC),
            "factor": 1.1,
        }
        client.command(_FORECASTS, parameters=before)
        client.insert_df("episodes", _episode())


def _revised() -> pd.DataFrame:
    rows = pd.DataFrame(VERSIONS, columns=["value", "vintage", "version", "inserted_at"])
    return rows.assign(
        metric="consommation",
        area="France",
        observed_at=REVISED,
        publisher="rte",
        source="eco2mix",
        retrieved_at=rows["inserted_at"],
        run_id="ingest",
    )


def _episode() -> pd.DataFrame:
    row = {
        "episode_id": EPISODE,
        "detector": "baseline_zscore",
        "metric": "consommation",
        "area": "Bretagne",
        "started_at": DARK_FROM,
        "ended_at": DARK_TO,
        "points": 96,
        "peak_at": DARK_FROM + timedelta(hours=12),
        "peak_z_score": -9.5,
        "peak_deviation_mw": -3_000.0,
        "direction": "low",
        "severity": "critical",
        "explanation": EXPLANATION,
        "state": "closed",
        "run_id": "score",
    }
    return pd.DataFrame([row])
