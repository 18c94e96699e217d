"""Run by `astro dev parse`: every DAG file imports. Written for Airflow 3.3, where DagBag lost `include_examples`."""

from __future__ import annotations

import os

import pytest
from airflow.dag_processing.dagbag import DagBag


def import_errors() -> list[tuple[str, str]]:
    """Return (file, error) of each DAG file that does not import; one empty pair when all do."""
    found = DagBag(dag_folder=os.environ.get("AIRFLOW__CORE__DAGS_FOLDER", "dags")).import_errors
    return sorted(found.items()) or [("", "")]


@pytest.mark.parametrize(("path", "error"), import_errors())
def test_file_imports(path: str, error: str) -> None:
    """Fail with the import error of the file."""
    assert not error, f"{path} does not import:\n{error}"
