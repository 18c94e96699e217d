"""The stream's models on the real engine: landed messages in, and the marts against a plain count."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from powersense.streaming.landing_records import read_dead_letter, read_result
from powersense.warehouse.client import connect
from powersense.warehouse.stream import rows as stream
from tests.services.stream_data import dead_letter, result
from tests.services.test_dbt_project import built, read

AS_OF = "2018-03-22T12:00:00+00:00"
PUBLISHED = datetime(2018, 3, 21, 12, tzinfo=UTC)
MODELS = (
    "--select", "+mart_all_anomalies", "+mart_stream_hourly", "--indirect-selection", "cautious",
)  # fmt: skip


def land(*, results: range, letters: range) -> list[stream.StreamResult]:
    """Land messages of a minute each, every fifth an anomaly, and dead letters."""
    read_ones = [read_result(*result(n, is_anomaly=n % 5 == 0), published_at=PUBLISHED) for n in results]
    read_letters = [read_dead_letter(*dead_letter(n), published_at=PUBLISHED) for n in letters]
    rows = [row for row in read_ones if isinstance(row, stream.StreamResult)]
    with connect("writer") as client:
        assert stream.insert_results(client, rows) == len(results)
        found = [row for row in read_letters if isinstance(row, stream.DeadLetter)]
        assert stream.insert_dead_letters(client, found) == len(letters)
    return rows


def check(warehouse, rows: list[stream.StreamResult], *, letters: int) -> None:
    frame = pd.DataFrame(
        {
            "asset_id": [row.asset_id for row in rows],
            "hour": pd.to_datetime([row.observed_at for row in rows]).floor("h"),
            "score": [row.final_score for row in rows],
            "is_anomaly": [row.is_anomaly for row in rows],
        }
    )
    expected = frame.groupby(["asset_id", "hour"]).agg(
        messages=("score", "size"), anomalies=("is_anomaly", "sum"), mean_score=("score", "mean")
    )
    hourly = read(warehouse, "SELECT * FROM mart_stream_hourly ORDER BY asset_id, hour")
    by_asset = hourly[hourly["asset_id"] != ""].set_index(["asset_id", "hour"])
    both = expected.join(by_asset, suffixes=("", "_found"), how="outer")
    assert len(both) == len(expected) == len(by_asset)
    assert (both["messages"] == both["messages_found"]).all()
    assert (both["anomalies"] == both["anomalies_found"]).all()
    assert both["mean_score"].to_numpy() == pytest.approx(both["mean_score_found"].to_numpy(float), abs=1e-6)
    assert hourly.loc[hourly["asset_id"] == "", "dead_letters"].tolist() == [letters]

    anomalies = read(warehouse, "SELECT * FROM mart_stream_anomalies ORDER BY observed_at")
    wanted = [row for row in rows if row.is_anomaly]
    assert anomalies["message_id"].tolist() == [f"{row.topic}/{row.partition}/{row.offset}" for row in wanted]
    assert anomalies["isolation_forest_score"].tolist() == pytest.approx([0.9] * len(wanted))
    assert anomalies["lstm_autoencoder_score"].isna().all()
    assert anomalies["flagged_by"].tolist() == [["isolation_forest"]] * len(wanted)
    together = read(warehouse, "SELECT kind, severity, count() AS n FROM mart_all_anomalies GROUP BY kind, severity")
    assert together.to_dict("records") == [{"kind": "stream", "severity": "warning", "n": len(wanted)}]


@pytest.mark.slow
def test_the_marts_count_each_message_once_and_take_in_what_came_since(warehouse, tmp_path):
    first = land(results=range(300), letters=range(3))
    built(tmp_path, "run", *MODELS, as_of=AS_OF)
    check(warehouse, first, letters=3)

    # Repeats of what is there, late messages of the same day, and a new day.
    second = land(results=range(200, 1200), letters=range(2, 5))
    statuses = built(tmp_path, "build", *MODELS, as_of=AS_OF)
    assert set(statuses.values()) <= {"success", "pass"}
    assert sum(node.startswith("unit_test.") for node in statuses) >= 3
    check(warehouse, first[:200] + second, letters=5)
