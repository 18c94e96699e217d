"""Open-Meteo's answers: weighted means by area, gaps, and what is refused by name. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from powersense.contracts import AREAS
from powersense.errors import MalformedResponseError
from powersense.sources.open_meteo import is_current, load_forecast_source, parse_forecast
from powersense.sources.transport import Answer

BEGIN = datetime(2024, 3, 10, tzinfo=UTC)
SOURCE = load_forecast_source()


def places(hours=3, value=8.0):
    times = [f"{BEGIN + timedelta(hours=number):%Y-%m-%dT%H:%M}" for number in range(hours)]
    return [
        {
            "hourly_units": {"temperature_2m": "°C", "wind_speed_10m": "m/s", "cloud_cover": "%"},
            "hourly": {
                "time": times,
                "temperature_2m": [value] * hours,
                "wind_speed_10m": [3] * hours,
                "cloud_cover": [None] * hours,
            },
        }
        for _ in SOURCE.points
    ]


def parse(document):
    return parse_forecast(Answer("u", json.dumps(document).encode(), BEGIN), SOURCE, model="best_match")


def temperatures(forecast, area):
    return forecast.frame.query("metric == 'temperature_c' and area == @area")["value"].round(6).tolist()


def test_all_regions_and_france_get_a_series():
    found = parse(places())
    assert set(found.frame["area"]) == {area.name for area in AREAS}
    assert temperatures(found, "France") == [8.0, 8.0, 8.0]
    assert set(found.frame["metric"]) == {"temperature_c", "wind_speed_ms"}, "no cloud cover was given"
    assert found.begins_at == BEGIN


def test_points_count_by_their_people():
    document = places()
    document[0]["hourly"]["temperature_2m"] = [0.0, 0.0, None]
    weights = [point[2] for point in SOURCE.areas["Auvergne-Rhône-Alpes"]]
    expected = round(8.0 * sum(weights[1:]) / sum(weights), 6)
    assert temperatures(parse(document), "Auvergne-Rhône-Alpes") == [expected, expected, 8.0]


def test_a_region_without_a_value_leaves_france_without_one():
    document = places()
    for place, point in zip(document, SOURCE.points, strict=True):
        if point[0] == "Bretagne":
            place["hourly"]["temperature_2m"] = [8.0, None, None]
    assert temperatures(parse(document), "Bretagne") == [8.0]
    assert temperatures(parse(document), "France") == [8.0]


def _with(path, value):
    def change(document):
        document[0][path[0]][path[1]] = value
        return document

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document[1:], "points answered"),
        (lambda document: {"error": True, "reason": "x"}, "1 points answered"),
        (_with(("hourly_units", "wind_speed_10m"), "km/h"), r"wind_speed_10m comes in 'km/h' where 'm/s'"),
        (_with(("hourly", "temperature_2m"), [1.0]), r"hourly\.temperature_2m is no list of 3 values"),
        (_with(("hourly", "temperature_2m"), ["a", "b", "c"]), r"hourly\.temperature_2m is not all numbers"),
        (_with(("hourly", "time"), ["2024-03-10T00:00", "2024-03-10T03:00", "x"]), r"hourly\.time"),
        (_with(("hourly", "time"), None), r"hourly\.time"),
    ],
    ids=["point missing", "error document", "unit", "length", "text", "hours apart", "no hours"],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused_by_name(change, message):
    with pytest.raises(MalformedResponseError, match=message):
        parse(change(places()))


def test_a_page_of_html_is_refused():
    with pytest.raises(MalformedResponseError, match="<html>"):
        parse_forecast(Answer("u", b"<html>", BEGIN), SOURCE, model="best_match")


def test_a_forecast_belongs_to_the_day_it_begins_with():
    found = parse(places())
    assert is_current(found, now=BEGIN + timedelta(hours=23, minutes=59))
    assert not is_current(found, now=BEGIN + timedelta(hours=24))
    assert not is_current(found, now=BEGIN - timedelta(minutes=1))


def test_every_region_has_points_in_france():
    assert set(SOURCE.areas) == {area.name for area in AREAS} - {"France"}
    assert all(42 < latitude < 51.2 and -5 < longitude < 8.3 for _, latitude, longitude, _ in SOURCE.points)
