"""The weeks of a walk, forecast side by side: each is fitted from the history alone, so none waits for another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager

import pandas as pd

from powersense.forecasting.backtest import Plan, Week, forecast_week
from powersense.forecasting.interface import History

# One thread each: several fits that share the cores are faster than one that is spread over them.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

_work: tuple[Plan, History] | None = None


def forecast_weeks(
    plan: Plan, history: History, weeks: Sequence[Week], *, workers: int
) -> Iterator[tuple[Week, pd.DataFrame]]:
    """Yield each week with its forecasts, as they are finished.

    Args:
        plan: what to forecast.
        history: from what.
        weeks: which weeks.
        workers: processes; 0 forecasts in this one.
    """
    if workers == 0:
        yield from ((week, forecast_week(plan, history, week)) for week in weeks)
        return
    if not weeks:
        return
    with _one_thread_each():
        pool = ProcessPoolExecutor(
            max_workers=min(workers, len(weeks)),
            # A forked child would inherit the progress bar's thread half.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(plan, history),
        )
        try:
            running = {pool.submit(_forecast, week): week for week in weeks}
            for done in as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def available() -> int:
    """Return how many processes may run at a time."""
    return len(os.sched_getaffinity(0))


def _begin(plan: Plan, history: History) -> None:
    global _work  # noqa: PLW0603 - what a process was started with
    _work = (plan, history)
    # Ctrl-C reaches every process of the terminal; the parent says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has been killed, which leaves no time to say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _forecast(week: Week) -> pd.DataFrame:
    if _work is None:
        raise RuntimeError("the worker was started without a plan")
    return forecast_week(*_work, week)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
