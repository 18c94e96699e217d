"""``python -m powersense.backtest``: what `make backtest` runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from powersense.backtest.files import read_files
from powersense.backtest.inputs import Inputs
from powersense.backtest.options import Options, read_options
from powersense.backtest.picture import page
from powersense.backtest.report import as_json, renderable
from powersense.backtest.run import Run, run
from powersense.backtest.workers import available
from powersense.calendar import local_midnight
from powersense.errors import PowerSenseError
from powersense.settings import get_settings

# What a table needs where the output is no terminal.
_PLAIN_WIDTH = 132


def main(arguments: Sequence[str]) -> int:
    """Run a backtest for each area; return the exit code."""
    try:
        options = read_options(arguments, issue_hour=get_settings().backtest_issue_hour)
        for area in options.areas:
            _backtest(options, area)
    except PowerSenseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on after the last finished week", file=sys.stderr)
        return 130
    return 0


def _backtest(options: Options, area: str) -> None:
    begun = time.monotonic()
    inputs = _read(options, area)
    done = _walk(options, inputs)
    seconds, ran_at = time.monotonic() - begun, datetime.now(UTC)
    figures = as_json(done, ran_at=ran_at.isoformat(), seconds=seconds)
    (done.folder / "scorecard.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    (done.folder / "picture.html").write_text(page(done), encoding="utf-8")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    console.print(renderable(done))
    console.print(f"{seconds:.0f} s. Kept in {done.folder}: scorecard.json, picture.html", soft_wrap=True)
    if options.load is None:
        from powersense.warehouse.backtests import store

        console.print(f"{store(done.rows(ran_at)):,} figures stored in the table backtests", soft_wrap=True)


def _walk(options: Options, inputs: Inputs) -> Run:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("weeks"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Backtest {inputs.area}", total=None)
        return run(
            options.plan,
            inputs,
            options.folder,
            on_week=lambda done, weeks: progress.update(task, completed=done, total=weeks),
            workers=available(),
        )


def _read(options: Options, area: str) -> Inputs:
    if options.load is not None:
        return read_files(options.load, options.temperature, area=area, vintage=options.vintage)
    from powersense.backtest.stored import read_stored

    return read_stored(
        area,
        start=datetime(get_settings().history_start_year, 1, 1, tzinfo=UTC),
        end=local_midnight(options.plan.last + timedelta(days=1)),
        issued_at=options.plan.issued_at[0].to_pydatetime(),
        vintage=options.vintage,
        has_weather=options.has_weather,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
