"""Weather by area and as-of reads, on the real engine: means, interpolation, weights, issued runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from powersense.stations import populations, stations
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.ledger import WEATHER
from powersense.warehouse.measurements import store_batch
from powersense.warehouse.reads import EVER
from powersense.warehouse.weather import stations as weather_stations
from powersense.warehouse.weather.forecasts import store_run
from powersense.warehouse.weather.reads import latest_weather_forecast, missing_hours, observed_weather

HOUR = timedelta(hours=1)
START = datetime(2018, 2, 1, tzinfo=UTC)
BREST, RENNES, NANTES, LE_PUY, AJACCIO = "29075001", "35281001", "44020001", "43062001", "20004002"


@pytest.fixture
def client(warehouse):
    with connect("writer") as opened:
        yield opened


def put(client, rows, *, batch_id="a", metric="temperature_c", vintage="realtime"):
    """Store (station, hour after START, value) rows."""
    frame = pd.DataFrame(
        {
            "metric": metric,
            "station": [station for station, _, _ in rows],
            "observed_at": pd.to_datetime([START + hour * HOUR for _, hour, _ in rows], utc=True),
            "vintage": vintage,
            "publisher": "meteo_france",
            "value": pd.Series([value for _, _, value in rows], dtype="float64"),
            "source": "test",
            "retrieved_at": pd.Timestamp.now(tz="UTC"),
            "run_id": "r",
        }
    )
    land(client, frame, batch_id=batch_id, ledger=WEATHER)
    return store_batch(client, batch_id, ledger=WEATHER)


def by_hour(client, area, *, hours=12, as_of=EVER, column="temperature_c"):
    frame = observed_weather(client, areas=[area], start=START, end=START + hours * HOUR, as_of=as_of)
    return {int((at - START) / HOUR): value for at, value in zip(frame["observed_at"], frame[column], strict=True)}


def test_the_stations_are_the_ones_of_the_catalogue():
    assert {stations()[name].area for name in (BREST, RENNES)} == {"Bretagne"}
    assert stations()[LE_PUY].altitude_m > 800
    assert stations()[AJACCIO].area == ""


def test_a_region_is_the_mean_of_its_low_stations(client):
    put(client, [(BREST, 0, 8.0), (RENNES, 0, 10.0), (NANTES, 0, 99.0), (LE_PUY, 0, -20.0), (AJACCIO, 0, 30.0)])
    frame = observed_weather(client, areas=list(populations()), start=START, end=START + HOUR)
    assert dict(zip(frame["area"], frame["temperature_c"], strict=True)) == {"Bretagne": 9.0, "Pays de la Loire": 99.0}
    counted = client.query(
        "SELECT area, stations FROM weather_by_area_as_known(as_of = now64(6)) WHERE area != 'France' ORDER BY area"
    )
    assert counted.result_rows == [("Bretagne", 2), ("Pays de la Loire", 1)]


def test_a_station_of_every_third_hour_counts_in_between_and_no_further(client):
    put(client, [(BREST, hour, float(hour)) for hour in (0, 3, 6, 10)])
    assert by_hour(client, "Bretagne") == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0, 6: 6.0, 10: 10.0}


def test_hourly_and_three_hourly_stations_are_averaged_hour_by_hour(client):
    put(client, [(BREST, 0, 0.0), (BREST, 3, 3.0), *((RENNES, hour, 10.0) for hour in range(5))])
    assert by_hour(client, "Bretagne") == {0: 5.0, 1: 5.5, 2: 6.0, 3: 6.5, 4: 10.0}


def test_reports_just_outside_a_range_serve_its_edges(client):
    put(client, [(BREST, -2, 0.0), (BREST, 1, 3.0), (BREST, 4, 6.0)])
    assert by_hour(client, "Bretagne", hours=3) == {0: 2.0, 1: 3.0, 2: 4.0}


def test_an_hour_without_a_station_is_absent_and_a_metric_without_one_is_nan(client):
    put(client, [(BREST, 5, 7.0)])
    frame = observed_weather(client, areas=["Bretagne", "France"], start=START, end=START + 12 * HOUR)
    assert list(frame["observed_at"]) == [START + 5 * HOUR]
    assert frame["wind_speed_ms"].isna().all()


def test_wind_and_cloud_are_averaged_beside_temperature(client):
    put(client, [(BREST, 0, 7.0)])
    put(client, [(BREST, 0, 4.0), (RENNES, 0, 6.0)], batch_id="b", metric="wind_speed_ms")
    put(client, [(RENNES, 0, 100.0)], batch_id="c", metric="cloud_cover_pct")
    row = observed_weather(client, areas=["Bretagne"], start=START, end=START + HOUR).iloc[0]
    assert (row["temperature_c"], row["wind_speed_ms"], row["cloud_cover_pct"]) == (7.0, 5.0, 100.0)


def _one_station_a_region():
    found = {}
    for station in stations().values():
        if station.area and station.altitude_m < 800:
            found.setdefault(station.area, station.station)
    return found


def test_france_is_the_mean_of_its_regions_by_population(client):
    places = sorted(_one_station_a_region().items())
    put(client, [(station, 0, float(number)) for number, (_, station) in enumerate(places)])
    people = populations()
    expected = sum(number * people[area] for number, (area, _) in enumerate(places)) / sum(people.values())
    assert by_hour(client, "France") == {0: pytest.approx(expected, abs=1e-9)}


def test_france_is_known_with_a_region_dark_and_unknown_with_half_of_them(client):
    places = _one_station_a_region()
    dark = {"Île-de-France"}
    put(client, [(station, 0, 5.0) for area, station in places.items() if area not in dark])
    dark |= {"Auvergne-Rhône-Alpes", "Hauts-de-France", "Nouvelle-Aquitaine"}
    put(client, [(station, 6, 5.0) for area, station in places.items() if area not in dark], batch_id="b")
    assert by_hour(client, "France") == {0: pytest.approx(5.0)}


def test_the_mean_of_an_earlier_instant_does_not_know_a_later_correction(client):
    put(client, [(BREST, 0, 1.0)])
    between = client.query("SELECT now64(6)").first_row[0]
    put(client, [(BREST, 0, 2.0)], batch_id="b")
    put(client, [(BREST, 1, 9.0)], batch_id="c")
    assert by_hour(client, "Bretagne", as_of=between) == {0: 1.0}
    assert by_hour(client, "Bretagne") == {0: 2.0, 1: 9.0}


def test_a_long_range_read_in_pieces_is_the_same_as_one(client):
    put(client, [(BREST, hour, float(hour % 24)) for hour in range(0, 24 * 200, 3)])
    frame = observed_weather(client, areas=["Bretagne"], start=START, end=START + 200 * 24 * HOUR)
    assert list(frame["observed_at"].diff().dropna().unique()) == [pd.Timedelta(hours=1)]
    assert len(frame) == 200 * 24 - 2


def test_missing_hours_are_told_by_department(client):
    put(client, [(BREST, hour, 1.0) for hour in (0, 1, 3)])
    found = missing_hours(client, departments=["29", "35"], start=START, end=START + 4 * HOUR)
    assert found == {"29": [START + 2 * HOUR], "35": [START + number * HOUR for number in range(4)]}


def test_stations_and_populations_are_written_once(client):
    assert weather_stations.sync(client) == 0
    client.command("INSERT INTO area_populations (area, population) VALUES ('Bretagne', 1)")
    assert weather_stations.sync(client) == 1


def issue(client, run_at, *, hours=24, value=1.0, area="Bretagne", source="open_meteo:best_match"):
    frame = pd.DataFrame({"target_at": pd.date_range(run_at, periods=hours, freq="h")}).assign(
        source=source,
        metric="temperature_c",
        area=area,
        run_at=pd.Timestamp(run_at),
        value=value,
        retrieved_at=pd.Timestamp(run_at),
        run_id="r",
    )
    return store_run(client, frame, source=source, run_at=run_at)


def latest(client, *, hours, as_of=EVER, start=START):
    frame = latest_weather_forecast(client, areas=["Bretagne"], as_of=as_of, start=start, end=start + hours * HOUR)
    return sorted(set(frame["run_at"])), len(frame)


def test_the_newest_run_that_covers_the_range_is_read(client):
    issue(client, START - 6 * HOUR, hours=30)
    issue(client, START, hours=12)
    assert latest(client, hours=12) == ([START], 12)
    assert latest(client, hours=20) == ([START - 6 * HOUR], 20), "the newer one is too short"
    assert latest(client, hours=48) == ([], 0)


def test_a_run_counts_from_when_it_was_known(client):
    issue(client, START - 6 * HOUR, hours=48)
    between = client.query("SELECT now64(6)").first_row[0]
    issue(client, START, hours=48)
    assert latest(client, hours=24, as_of=between) == ([START - 6 * HOUR], 24)
    assert latest(client, hours=24, as_of=START - HOUR) == ([], 0)


def test_a_run_issued_after_the_instant_does_not_count_though_it_is_stored(client):
    issue(client, START - 6 * HOUR, hours=72)
    issue(client, START + HOUR, hours=72)
    earlier = {"inserted_at": START - 5 * HOUR}
    client.command(
        "ALTER TABLE weather_forecasts UPDATE inserted_at = {inserted_at:DateTime('UTC')} WHERE 1 "
        "SETTINGS mutations_sync = 1",
        parameters=earlier,
    )
    assert latest(client, hours=24, as_of=START, start=START + 2 * HOUR) == ([START - 6 * HOUR], 24)


def test_a_run_is_stored_once(client):
    assert issue(client, START) == 24
    assert issue(client, START, value=9.0) == 0
    assert client.query("SELECT DISTINCT value FROM weather_forecasts").result_rows == [(1.0,)]


def test_landed_weather_expires_with_landed_load(client):
    from powersense.maintain import expire

    put(client, [(BREST, 0, 1.0)])
    assert expire(datetime.now(UTC))["landing_days_dropped"] == 0
    assert expire(datetime.now(UTC) + timedelta(days=30))["landing_days_dropped"] == 1
    assert client.query("SELECT count() FROM weather_landing").result_rows == [(0,)]
    assert by_hour(client, "Bretagne") == {0: 1.0}
