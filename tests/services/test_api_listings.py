"""The Data API's listings on the real engine: the same rows in four formats, and page by page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from powersense.api.data.answers import Page
from powersense.api.data.cursors import encode_cursor
from tests.services.api_reading import ARROW, CSV, LISTINGS, ON_THE_DAY, PARQUET, ask, items, reading
from tests.warehouses import Warehouse

# These answer in one page whatever the limit.
WHOLE = {"curve", "latest", "expected"}


@pytest.fixture(scope="module")
def api(module_warehouse: Warehouse) -> Iterator[TestClient]:
    with reading(module_warehouse) as client:
        yield client


@pytest.mark.parametrize("path", LISTINGS)
def test_rows_are_as_described_and_the_same_in_every_format(api, path):
    row, question, count = LISTINGS[path]
    answer = ask(api, path, **question)
    page = Page[row].model_validate_json(answer.content)
    assert (len(page.items), page.next, answer.headers["content-type"]) == (count, None, "application/json")
    rows = answer.json()["items"]

    as_csv = ask(api, path, CSV, **question)
    assert as_csv.headers["content-disposition"].endswith('.csv"')
    frames = {
        "csv": pd.read_csv(io.BytesIO(as_csv.content), keep_default_na=False, na_values=[""]),
        "parquet": pq.read_table(io.BytesIO(ask(api, path, PARQUET, **question).content)).to_pandas(),
        "arrow": pa.ipc.open_stream(io.BytesIO(ask(api, path, ARROW, **question).content)).read_all().to_pandas(),
    }
    for kind, frame in frames.items():
        assert list(frame.columns) == list(rows[0]), kind
        assert len(frame) == count
        for name in frame.columns:
            assert [_plain(value) for value in frame[name]] == [_plain(row[name]) for row in rows], (kind, name)


def _plain(value: Any) -> Any:
    """Return a value as all formats can show it: instants as seconds, numbers rounded to a Float32's digits."""
    # CSV shows a list as the text of one.
    if pd.api.types.is_list_like(value):
        return str(list(value))
    # CSV has no other word for an empty text.
    if value is None or pd.isna(value) or value == "":
        return None
    if isinstance(value, str) and re.match(r"^\d{4}-\d\d-\d\d", value):
        value = pd.Timestamp(value)
    if hasattr(value, "isoformat"):
        moment = pd.Timestamp(value)
        return (moment if moment.tzinfo else moment.tz_localize("UTC")).timestamp()
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    return value if isinstance(value, str) else round(float(value), 4)


@pytest.mark.parametrize("path", sorted(set(LISTINGS) - WHOLE))
def test_pages_put_together_are_the_whole(api, path):
    _, question, count = LISTINGS[path]
    whole, paged, after = items(api, path, **question), [], ""
    limit = max(1, count // 5)
    while after is not None:
        page = ask(api, path, **question, limit=limit, after=after).json()
        assert len(page["items"]) <= limit
        paged += page["items"]
        after = page["next"]
        assert len(paged) <= count
    assert paged == whole


def test_all_versions_are_paged_too(api):
    question = {**ON_THE_DAY, "areas": "France", "versions": "all"}
    whole = items(api, "measurements", **question)
    assert len(whole) == 96 + 4 + 2
    assert [(row["vintage"], row["version"], row["value"]) for row in whole[:2]] == [
        ("realtime", 1, 52_000.0),
        ("realtime", 2, 1.5),
    ]
    paged, after = [], ""
    while after is not None:
        page = ask(api, "measurements", **question, limit=7, after=after).json()
        paged, after = paged + page["items"], page["next"]
    assert paged == whole


def test_formats_are_chosen_as_accept_says(api):
    for accept in ("", "*/*", "application/*", "text/html, */*;q=0.1", "application/json;q=0.9, text/csv;q=0.8"):
        assert ask(api, "series", accept).headers["content-type"] == "application/json"
    for accept in (CSV, "text/*", "application/json;q=0.1, text/csv", "application/json;q=nonsense, text/csv"):
        assert ask(api, "series", accept).headers["content-type"].startswith(CSV)
    refused = api.get("series", headers={"Accept": "image/png"})
    assert (refused.status_code, ARROW in refused.json()["detail"]) == (406, True)
    for parameters in ({"limit": 5}, {"after": encode_cursor("a", "b", "c")}):
        answer = api.get("series", params=parameters, headers={"Accept": CSV})
        assert (answer.status_code, "leave it out" in answer.json()["detail"]) == (422, True)
    empty = ask(api, "runs", CSV, sources="nobody").text
    assert empty.startswith('"batch_id"')
    assert empty.count("\n") == 1
