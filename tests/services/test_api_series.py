"""The catalogue of series and its projection: what each series has, without reading its values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from starlette.testclient import TestClient

from powersense.settings import get_settings
from powersense.warehouse import backups
from powersense.warehouse import migrate as runner
from powersense.warehouse.client import connect
from powersense.warehouse.data_reads import Question, page, stored_metrics
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch
from powersense.warehouse.migrate import migrate, migrations
from powersense.warehouse.reader_pool import ReaderPool
from powersense.warehouse.sql import statement
from tests.services.api_reading import items, reading
from tests.warehouses import Warehouse

AREAS = ["Bretagne", "France", "Occitanie"]
VINTAGES = ["realtime", "consolidated", "definitive"]
ALL = {"metrics": [], "areas": AREAS, "vintages": VINTAGES, "after": [], "limit": 1_000}
LATEST = {"metric": "consommation", "areas": AREAS, "detector": "robust", "after": [], "limit": 20}
# From the rows themselves, a row at a time.
DIRECT = """
    SELECT metric, area, toString(vintage) AS vintage, min(observed_at), max(observed_at), uniqExact(observed_at)
    FROM measurements WHERE isNotNull(value) GROUP BY metric, area, vintage ORDER BY metric, area, toString(vintage)
    SETTINGS optimize_use_projections = 0
"""
MANY = """
    INSERT INTO measurements (* EXCEPT inserted_at)
    SELECT ['consommation', 'gaz'][1 + number % 2], ['Bretagne', 'France'][1 + intDiv(number, 2) % 2],
        toDateTime('2015-01-01', 'UTC') + 1800 * intDiv(number, 4), 'realtime', 'rte', 1, number, 's',
        now64(3), 'r', 'b'
    FROM numbers(200000)
"""


@pytest.fixture(scope="module")
def api(module_warehouse: Warehouse) -> Iterator[TestClient]:
    with reading(module_warehouse) as client:
        yield client


@pytest.fixture
def client(warehouse: Warehouse) -> Iterator[Any]:
    with connect("writer") as opened:
        yield opened


def stored(client: Any, *, seed: int) -> None:
    """Store a batch: of some series some instants, every fifth without a value, or with one that is taken back."""
    draw = np.random.default_rng(seed)
    # Pushed instants are whole seconds: quarter-hours, half-hours, any.
    steps = {"consommation": 900, "prevision": 1_800, "meter": 1}
    parts = []
    for metric, step in steps.items():
        for area in draw.permutation(AREAS)[:2]:
            # Around the turn of a year, so in two partitions.
            seconds = np.unique(draw.integers(-40_000 // step, 40_000 // step, 60)) * step
            instants = pd.Timestamp("2018-01-01", tz="UTC") + pd.to_timedelta(seconds, unit="s")
            values = np.where(draw.random(len(seconds)) < 0.2, np.nan, draw.integers(0, 9, len(seconds)))
            parts.append(
                pd.DataFrame({"metric": metric, "area": area, "observed_at": instants, "value": values}).assign(
                    vintage=draw.choice(VINTAGES), publisher="push:meter" if metric == "meter" else "rte"
                )
            )
    frame = pd.concat(parts).assign(
        source="s", run_id="r", retrieved_at=pd.Timestamp(f"2018-02-01 0{seed}:00", tz="UTC")
    )
    frame["observed_at"] = frame["observed_at"].dt.as_unit("s")
    land(client, frame, batch_id=f"batch-{seed}")
    store_batch(client, f"batch-{seed}")


def told(client: Any) -> list[tuple[Any, ...]]:
    """Return what the catalogue says; the server refuses where it would read rows of values."""
    force = {"force_optimize_projection_name": "series_instants"}
    rows = client.query(statement("api_series"), parameters=ALL, settings=force).result_rows
    return [(*row[:3], *row[4:]) for row in rows]


def direct(client: Any) -> list[tuple[Any, ...]]:
    found = [tuple(row) for row in client.query(DIRECT).result_rows]
    assert found
    return found


def test_series_tell_what_there_is(api):
    rows = {(row["metric"], row["area"], row["vintage"]): row for row in items(api, "series")}
    load = rows["consommation", "France", "realtime"]
    assert (load["instants"], load["unit"]) == (96, "MW")
    assert (load["first_observed_at"], load["last_observed_at"]) == ("2018-01-10T00:00:00Z", "2018-01-10T23:45:00Z")
    assert rows["taux_co2", "Bretagne", "realtime"]["unit"] == "g/kWh"
    assert len(items(api, "series", vintages="consolidated", areas="France")) == 1


def test_each_instant_counts_once_however_often_it_is_stored_merged_or_removed(client):
    for seed in range(1, 7):
        stored(client, seed=seed)
        assert told(client) == direct(client)
    # The same versions once more, as two writers store them at once.
    client.command("INSERT INTO measurements SELECT * FROM measurements")
    before = told(client)
    assert before == direct(client)
    client.command("OPTIMIZE TABLE measurements FINAL")
    assert told(client) == before == direct(client)
    assert client.query("SELECT max(version), countIf(isNull(value)) > 0 FROM measurements").first_row[0] > 1
    client.command("DELETE FROM measurements WHERE area = 'France' AND observed_at > '2018-01-01 02:00:00'")
    fewer = told(client)
    assert before != fewer == direct(client)
    client.command("ALTER TABLE measurements DROP PARTITION '2017'")
    assert fewer != told(client) == direct(client)


def test_a_series_without_a_value_is_none(client):
    frame = pd.DataFrame({
        "metric": "consommation", "area": ["Bretagne", "France"], "observed_at": pd.Timestamp("2018-01-01", tz="UTC"),
        "vintage": "realtime", "publisher": "rte", "version": 1, "value": [None, 5.0], "source": "s", "run_id": "r",
        "retrieved_at": pd.Timestamp("2018-01-01", tz="UTC"),
    })  # fmt: skip
    frame["value"] = frame["value"].astype(object).where(frame["value"].notna(), None)
    client.insert_df("measurements", frame)
    assert client.query("SELECT countIf(isNull(value)) FROM measurements").first_row == (1,)
    assert [row[1] for row in told(client)] == ["France"]
    latest = client.query(statement("api_latest"), parameters=LATEST).result_rows
    assert [(row[0], row[3]) for row in latest] == [("France", 5.0)]


def test_pages_of_series_go_on_where_the_last_one_ended(client):
    for seed in (1, 2, 3):
        stored(client, seed=seed)
    key = ("metric", "area", "vintage")
    question = Question("api_series", key, {name: ALL[name] for name in ("metrics", "areas", "vintages")})
    paged: list[tuple[str, ...]] = []
    while len(paged) < 100:
        rows = [orjson.loads(row) for row in page(ReaderPool(), question, after=paged[-1] if paged else (), limit=2)]
        paged += [tuple(row[name] for name in key) for row in rows[:2]]
        if len(rows) < 3:
            break
    assert paged == [row[:3] for row in direct(client)]
    assert stored_metrics(ReaderPool()) == ["consommation", "meter", "prevision"]


@pytest.mark.parametrize(
    ("name", "parameters", "count"),
    [
        pytest.param("api_series", ALL, 4, id="all series"),
        pytest.param("api_series", ALL | {"metrics": ["gaz"]}, 2, id="one metric"),
        pytest.param("api_series", ALL | {"metrics": ["tension"]}, 0, id="a metric that nobody stored"),
        pytest.param("api_series", ALL | {"areas": ["Occitanie"]}, 0, id="an area without any"),
        pytest.param("stored_metrics", {}, 2, id="metrics"),
        pytest.param("api_latest", LATEST, 2, id="where each area stands"),
    ],
)
def test_what_series_have_is_told_from_few_rows(client, name, parameters, count):
    client.command(MANY)
    with connect("reader") as reader:
        answer = reader.query(statement(name), parameters=parameters)
    assert len(answer.result_rows) == count
    # A granule of values around each area's newest instant is what /latest still reads.
    assert int(answer.summary["read_rows"]) < (20_000 if name == "api_latest" else 100)


def test_a_warehouse_of_the_version_before_is_told_rightly_at_once_and_soon_from_few_rows(
    client, warehouse, monkeypatch
):
    older = [one for one in migrations() if one.id < "0017"]
    with connect("writer", database="default") as unmigrated:
        for database in warehouse.databases:
            unmigrated.command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": database})
        monkeypatch.setattr(runner, "migrations", lambda: older)
        migrate(unmigrated, settings=get_settings())
        stored(client, seed=1)
        stored(client, seed=2)
        monkeypatch.undo()
        assert "0017_series_instants" in migrate(unmigrated, settings=get_settings())
    rows = client.query(statement("api_series"), parameters=ALL).result_rows
    assert [(*row[:3], *row[4:]) for row in rows] == direct(client)
    # Waits for the background's filling, which it repeats.
    client.command("ALTER TABLE measurements MATERIALIZE PROJECTION series_instants SETTINGS mutations_sync = 2")
    stored(client, seed=3)
    assert told(client) == direct(client)


def test_a_restored_warehouse_tells_its_series_from_few_rows(client, warehouse):
    stored(client, seed=1)
    before, name = told(client), f"{warehouse.database}-series"
    with connect("writer", database="default") as admin:
        backups.create(admin, settings=get_settings(), name=name)
        for database in warehouse.databases:
            admin.command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": database})
        backups.restore(admin, settings=get_settings(), name=name)
    assert told(client) == before == direct(client)
    stored(client, seed=2)
    assert told(client) == direct(client) != before
