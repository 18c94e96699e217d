"""Declarations of YAML files and the API side by side, and which runs of them are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from powersense.autoloader import declarations, steps
from powersense.autoloader.steps import run_once
from powersense.errors import ConfigurationError
from powersense.files.stored_file import RunState
from powersense.warehouse.client import connect
from powersense.warehouse.files import runs as file_runs
from tests.services.file_data import declare, emptied, ingestion, run_of, three_meters

empty_warehouse = pytest.fixture(autouse=True)(emptied)
folder = pytest.fixture(three_meters)


def test_yaml_files_and_the_api_share_the_table_and_do_not_overwrite_each_other(tmp_path):
    def put(name, **changes):
        document = ingestion(tmp_path, name=name, **changes).model_dump(mode="json", exclude={"name"})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))

    remote = {"uri": "s3://bucket/*.csv"}
    put("one", **remote)
    put("two", **remote)
    with connect("writer") as client:
        assert declarations.sync_yaml(client, folder=tmp_path) == {"declared": 2, "written": 2, "deleted": 0}
        assert declarations.sync_yaml(client, folder=tmp_path) == {"declared": 2, "written": 0, "deleted": 0}
        declarations.create(client, ingestion(tmp_path, name="api", **remote), changed_by="vera")
        put("one", **remote, retries=7)
        (tmp_path / "two.yaml").unlink()
        put("api", **remote)
        (tmp_path / "wrong.yaml").write_text("uri: nowhere\n")
        with pytest.raises(ConfigurationError, match=r"(?s)'api' is taken.*wrong\.yaml"):
            declarations.sync_yaml(client, folder=tmp_path)
        declared = {one.ingestion.name: one for one in declarations.all_of(client)}
        assert {name: (one.origin, one.ingestion.retries) for name, one in declared.items()} == {
            "api": ("api", 3),
            "one": ("yaml", 7),
        }
        with pytest.raises(declarations.DeclarationConflictError, match=r"one\.yaml"):
            declarations.replace(client, declared["one"].ingestion, changed_by="vera")
        with pytest.raises(declarations.DeclarationConflictError, match="declared already"):
            declarations.create(client, declared["api"].ingestion, changed_by="vera")
        with pytest.raises(declarations.DeclarationConflictError, match="new target"):
            declarations.replace(client, ingestion(tmp_path, name="api", table="other", **remote), changed_by="vera")
        with pytest.raises(declarations.DeclarationConflictError, match="FILE_SOURCE_FOLDERS"):
            declarations.create(client, ingestion(tmp_path, name="local"), changed_by="vera")
        declarations.replace(client, ingestion(tmp_path, name="api", retries=1, **remote), changed_by="vera")
        assert declarations.get(client, "api").retries == 1
        declarations.delete(client, "api", changed_by="vera")
        with pytest.raises(declarations.UnknownIngestionError, match="'api'"):
            declarations.get(client, "api")


def test_a_request_is_due_until_its_run_begins(folder):
    name = declare(ingestion(folder))
    with connect("writer") as client:
        request_id = declarations.request_run(client, name, dry_run=True, by="vera")
    (start,) = steps.find_due(datetime.now(UTC))
    assert start["trigger_run_id"] == f"requested__{request_id}"
    steps.start_run(start["conf"], run_id=start["trigger_run_id"])
    assert steps.find_due(datetime.now(UTC)) == []
    assert run_of(name, start["trigger_run_id"]).is_dry_run
    declare(ingestion(folder, enabled=False))
    with connect("writer") as client, pytest.raises(declarations.DeclarationConflictError, match="not enabled"):
        declarations.request_run(client, name, dry_run=False, by="vera")
    with pytest.raises(declarations.DeclarationConflictError, match="not enabled"):
        steps.start_run({"ingestion": name}, run_id="r")


def test_a_run_that_never_ended_does_not_hold_its_ingestion_for_ever(folder):
    one = ingestion(folder, schedule="* * * * *")
    declare(one)
    with connect("writer") as client:
        old = datetime.now(UTC) - timedelta(hours=30)
        file_runs.write(client, file_runs.FileRun("meters", "lost", started_at=old, scheduled_for=old))
        file_runs.write(client, file_runs.FileRun("meters", "alive", started_at=datetime.now(UTC), scheduled_for=old))
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert steps.find_due(later) == []
    with connect("writer") as client:
        alive = file_runs.read(client, ingestion="meters", run_id="alive")
        file_runs.write(client, file_runs.FileRun(**{**alive.__dict__, "state": RunState.SUCCESS}))
    assert len(steps.find_due(later)) == 1
    run_once(one)
    assert run_of("meters", "lost").state is RunState.FAILED
