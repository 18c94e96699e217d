"""Run every benchmark and print, for each, the figure, its reference and whether the goal holds.

`make bench` writes the same rows to build/bench.json. Ratios are taken within one run, against the named reference.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS_KEYS = ("name", "value", "unit", "reference", "ratio", "goal", "holds")


def names() -> list[str]:
    """Return the benchmark modules, each a `bench_<name>.py` with a `run()` that returns rows."""
    return sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def show(row: dict[str, object]) -> str:
    """Format one row for the terminal."""
    ratio = "" if row["ratio"] is None else f"  ratio {row['ratio']:.2f}"
    mark = "ok  " if row["holds"] else "MISS"
    against = f"(goal {row['goal']}; reference {row['reference']})"
    return f"{mark} {row['name']}: {row['value']:,.3g} {row['unit']}{ratio}  {against}"


def main() -> int:
    """Run the chosen benchmarks; the exit code is 0 even when a goal is missed, since the figure is the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help=f"one or more of: {', '.join(names())}")
    chosen = parser.parse_args().only or names()
    unknown = sorted(set(chosen) - set(names()))
    if unknown:
        parser.error(f"unknown benchmark {unknown}; known: {names()}")
    rows: list[dict[str, object]] = []
    for name in chosen:
        started = time.perf_counter()
        print(f"── {name}", flush=True)
        for row in importlib.import_module(f"benchmarks.bench_{name}").run():
            rows.append({key: row[key] for key in ROWS_KEYS})
            print("  ", show(row), flush=True)
        print(f"   {time.perf_counter() - started:.0f} s", flush=True)
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"{sum(bool(row['holds']) for row in rows)} of {len(rows)} goals hold; {target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
