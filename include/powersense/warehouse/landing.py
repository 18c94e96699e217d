"""Landing: a fetch's rows reach ClickHouse as they are, before they are numbered."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from powersense.contracts import Vintage
from powersense.errors import LandingError
from powersense.warehouse import landing_log
from powersense.warehouse.ledger import MEASUREMENTS, Ledger

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

_INSTANT_COLUMNS = {"observed_at": "s", "retrieved_at": "ms"}


def land(client: Client, frame: pd.DataFrame, *, batch_id: str, ledger: Ledger = MEASUREMENTS) -> int:
    """Land one batch; `measurements.store_batch` numbers it afterwards.

    The rows go first and the landing's place in the order of landings last, so a landing cut short does not exist.
    Landing a batch again is harmless: the same content changes nothing, other content counts as a later retrieval.

    Args:
        client: a writer's client.
        frame: the ledger's `landing_columns`; one row per (metric, place, observed_at, vintage, publisher);
            instants with a time zone, `value` in the metric's unit with NaN where upstream has none.
        batch_id: the batch's name, the same when its task is tried again.
        ledger: the tables that it is for.

    Returns:
        Number of rows landed.

    Raises:
        LandingError: the frame breaks its contract; names the column and the problem.
    """
    table = landing_table(frame, ledger=ledger)
    landing_id = uuid.uuid4().hex
    if table.num_rows:
        named = _with_constants(table, landing_id=landing_id, batch_id=batch_id)
        client.insert_arrow(ledger.landing_table, named)
    extent = _extent(table, place=ledger.place, landing_id=landing_id, batch_id=batch_id)
    landing_log.append(client, extent, ledger=ledger)
    return int(table.num_rows)


def landing_table(frame: pd.DataFrame, *, ledger: Ledger = MEASUREMENTS) -> pa.Table:
    """Return the frame as an Arrow table with the landing's types; NaN becomes null.

    Arrow, since its dictionary columns reach LowCardinality columns seven times faster than a frame inserted row-wise.

    Raises:
        LandingError: see `land`.
    """
    import pyarrow as pa

    wanted = ledger.landing_columns
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise LandingError(f"the landing frame lacks {missing}; it needs {list(wanted)}")
    table = pa.table({name: _column(frame[name], name) for name in wanted})
    for name in wanted:
        if name != "value" and table[name].null_count:
            raise LandingError(f"{table[name].null_count} of {len(frame)} landing rows have no {name}")
    unknown = set(_distinct(table, "vintage")) - {vintage.value for vintage in Vintage}
    if unknown:
        raise LandingError(f"vintage {sorted(unknown)} is none of {[vintage.value for vintage in Vintage]}")
    return table


def _column(column: pd.Series, name: str) -> pa.Array:
    if name == "value":
        return _values(column)
    return _instants(column, unit=_INSTANT_COLUMNS[name]) if name in _INSTANT_COLUMNS else _text(column)


def _text(column: pd.Series) -> pa.Array:
    import pyarrow as pa

    texts = _whole(pa.array(column, from_pandas=True))
    if not pa.types.is_dictionary(texts.type):
        texts = texts.cast(pa.string()).dictionary_encode()
    return texts.cast(pa.dictionary(pa.int32(), pa.string()))


def _instants(column: pd.Series, *, unit: str) -> pa.Array:
    import pandas as pd
    import pyarrow as pa

    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        raise LandingError(f"{column.name} has dtype {column.dtype}; it must be a datetime with a time zone")
    # Truncation, not an error, where the frame is finer: upstream answers in whole seconds, clocks in microseconds.
    instants = _whole(pa.array(column.dt.tz_convert("UTC"), from_pandas=True))
    return instants.cast(pa.timestamp(unit, tz="UTC"), safe=False)


def _values(column: pd.Series) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = _whole(pa.array(column, type=pa.float64(), from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise LandingError(f"value has dtype {column.dtype} and is not all numbers: {error}") from error
    if pc.any(pc.is_inf(values)).as_py():
        raise LandingError("value holds an infinity; set it aside in quarantine before landing")
    return values


def _whole(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a frame column as one array; string columns of pandas arrive in chunks."""
    import pyarrow as pa

    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _with_constants(table: pa.Table, **constants: str) -> pa.Table:
    """Return the table with text columns that hold one value each, at the cost of an index of zeros."""
    import numpy as np
    import pyarrow as pa

    zeros = pa.array(np.zeros(table.num_rows, dtype=np.int32))
    for name, text in constants.items():
        table = table.append_column(name, pa.DictionaryArray.from_arrays(zeros, pa.array([text])))
    return table


def _distinct(table: pa.Table, name: str) -> list[str]:
    return sorted(value for value in table[name].unique().to_pylist() if value is not None)


def _extent(table: pa.Table, *, place: str, landing_id: str, batch_id: str) -> landing_log.Extent:
    """Return what the order of landings keeps of a landing: whom it touches, when, and how many rows."""
    import pyarrow.compute as pc

    def bounds(name: str) -> tuple[Any, Any]:
        ends = pc.min_max(table[name])
        epoch = landing_log.EPOCH
        return (ends["min"].as_py() or epoch, ends["max"].as_py() or epoch)

    observed_from, observed_to = bounds("observed_at")
    retrieved_from, retrieved_to = bounds("retrieved_at")
    with_value = table["observed_at"].filter(pc.is_valid(table["value"]))
    return landing_log.Extent(
        landing_id=landing_id,
        batch_id=batch_id,
        row_count=table.num_rows,
        metrics=_distinct(table, "metric"),
        places=_distinct(table, place),
        vintages=_distinct(table, "vintage"),
        publishers=_distinct(table, "publisher"),
        observed_from=observed_from,
        observed_to=observed_to,
        retrieved_from=retrieved_from,
        retrieved_to=retrieved_to,
        newest_observed_at=pc.max(with_value).as_py(),
    )
