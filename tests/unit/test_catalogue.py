"""Sources are declared in data: what the bundled catalogue says, and how a wrong entry is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from powersense.contracts import AREAS, LOAD_METRIC
from powersense.errors import SourceDeclarationError
from powersense.settings import get_settings
from powersense.sources.catalogue import get_source, load_catalogue, sources_of
from powersense.sources.normalise import normalise

TEMPERATURE = """
sources:
  - id: regional_temperature
    dataset: temperature-quotidienne-regionale
    role: live
    publisher: meteo_france
    instant_field: date_heure
    fixed_vintage: definitive
    area_field: region
    cadence_minutes: 1440
    expected_metrics: [tmoy]
    valid_ranges: {"t*": [-60, 60]}
"""


@pytest.fixture
def extra_catalogue(tmp_path, monkeypatch):
    def write(text):
        path = tmp_path / "sources.yaml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("POWERSENSE_SOURCES_FILE", str(path))
        get_settings.cache_clear()
        return path

    yield write
    get_settings.cache_clear()


def test_the_bundled_sources_cover_all_areas_in_both_roles():
    for role in ("live", "history"):
        covered = [area for source in sources_of(role) for area in source.areas]
        assert sorted(covered) == sorted(area.name for area in AREAS)


def test_the_incident_of_2017_is_inside_the_valid_range_and_nonsense_is_outside():
    low, high = get_source("regional_realtime").valid_range(LOAD_METRIC)
    assert low <= 17
    assert high >= 110_000
    assert not low <= -1 <= high
    assert not low <= 200_001 <= high


def test_only_forecasts_may_lie_in_the_future():
    source = get_source("national_realtime")
    assert source.is_forecast("prevision_j1")
    assert not source.is_forecast("consommation")


def test_another_opendatasoft_series_is_added_without_code(extra_catalogue):
    extra_catalogue(TEMPERATURE)
    source = get_source("regional_temperature")
    records = pd.DataFrame(
        {
            "date_heure": ["2021-01-31T23:00:00+00:00", "2021-01-31T23:00:00+00:00"],
            "region": ["Bretagne", "Île-de-France"],
            "tmoy": [7.5, 161.0],
        }
    )
    outcome = normalise(records, source, retrieved_at=datetime(2021, 2, 3, tzinfo=UTC), run_id="r")
    assert outcome.measurements[["metric", "area", "vintage", "publisher", "value"]].values.tolist() == [
        ["tmoy", "Bretagne", "definitive", "meteo_france", 7.5]
    ]
    assert outcome.quarantined["reason"].tolist() == ["out_of_range"]
    assert {"national_realtime", "regional_temperature"} <= {declared.id for declared in sources_of("live")}


def test_an_entry_with_a_known_id_replaces_it(extra_catalogue):
    path = extra_catalogue(TEMPERATURE.replace("regional_temperature", "national_realtime"))
    assert load_catalogue(str(path))["national_realtime"].dataset == "temperature-quotidienne-regionale"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param("time_zone: Mars/Olympus", "time_zone='Mars/Olympus'", id="unknown time zone"),
        pytest.param("cadence_minutes: 0", "cadence_minutes=0", id="cadence of nothing"),
        pytest.param("colour: blue", "colour='blue'", id="unknown field"),
        pytest.param("fixed_area: France", "exactly one of area_field and fixed_area", id="two areas"),
        pytest.param("vintage_field: nature", "exactly one of vintage_field and fixed_vintage", id="two vintages"),
        pytest.param("instant_field: null", "give instant_field", id="no instant"),
        pytest.param('valid_ranges: {"t*": [60, -60]}', "swap them", id="reversed range"),
        pytest.param("role: sometimes", "role='sometimes'", id="unknown role"),
    ],
)
def test_a_wrong_entry_is_refused_by_file_entry_and_field(extra_catalogue, broken, told):
    key = broken.split(":")[0]
    lines = [line for line in TEMPERATURE.splitlines() if not line.strip().startswith(f"{key}:")]
    path = extra_catalogue("\n".join([*lines, f"    {broken}"]))
    with pytest.raises(SourceDeclarationError, match="source regional_temperature") as refused:
        load_catalogue(str(path))
    assert told in str(refused.value)
    assert path.name in str(refused.value)


@pytest.mark.parametrize("text", ["sources: [", "just words", "sources: {}"], ids=["cut", "text", "mapping"])
def test_a_file_that_is_no_catalogue_is_refused_by_name(extra_catalogue, text):
    path = extra_catalogue(text)
    with pytest.raises(SourceDeclarationError, match=str(path)):
        load_catalogue(str(path))


def test_an_unknown_source_is_refused_with_the_known_ones():
    with pytest.raises(SourceDeclarationError, match=r"'nope' is not declared; known: .*national_realtime"):
        get_source("nope")
