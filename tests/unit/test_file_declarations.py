"""Declared ingestions: what is refused, how the refusal reads, and YAML files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from powersense.autoloader.__main__ import main
from powersense.autoloader.declarations import DeclarationError, declared_folder, parse, read_yaml
from powersense.errors import ConfigurationError, SourceDeclarationError
from powersense.files.declaration import Ingestion

ROOT = Path(__file__).resolve().parents[2]
METERS = {
    "name": "meters",
    "uri": "s3://bucket/meters/{yyyy}/{mm}/*.csv",
    "format": "csv",
    "target": {
        "kind": "table",
        "table": "meters",
        "columns": [{"name": "id", "type": "Int64", "is_required": True}, {"name": "load_mw", "type": "Float64"}],
        "mode": "upsert",
        "key": ["id"],
    },
}


def changed(**values):
    return {**METERS, **values}


def target(**values):
    return {**METERS["target"], **values}


def test_a_declaration_survives_its_own_json():
    ingestion = parse(METERS, where="test")
    assert parse(ingestion.model_dump_json(), where="test") == ingestion


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        (changed(name="Meters"), "name", "pattern"),
        (changed(uri="ftp://host/*.csv"), "uri", "'ftp' is none of file, s3, abfs, gs"),
        (changed(uri="s3:///a.csv"), "uri", "names no bucket"),
        (changed(uri="file://etc/passwd"), "uri", "absolute"),
        (changed(uri="file:///a/../b.csv"), "uri", "no '..'"),
        (changed(uri="s3://b/{year}/a.csv"), "uri", "{year} is none of"),
        (changed(schedule="every day"), "schedule", "five fields"),
        (changed(schedule="* * * * * *"), "schedule", "five fields"),
        (changed(retries=11), "retries", "less than or equal to 10"),
        (changed(retires=3), "retires", "Extra inputs"),
        (changed(format="rte_xls"), "declaration", "does not lead to 'table'"),
        (changed(target=target(key=[])), "target.table", "needs a key"),
        (changed(target=target(key=["no"])), "target.table", "'no' is none of the columns"),
        (changed(target=target(columns=[], key=["id"])), "declaration", "schema_policy 'evolve'"),
        (changed(target=target(columns=[{"name": "id", "type": "Int64) ENGINE=Null --"}])), "target", "no type"),
        (changed(target=target(table="t; DROP")), "target.table.table", "pattern"),
        (changed(target={"kind": "elsewhere"}), "target", "table"),
        (changed(csv={"encoding": "utf-9"}), "csv.encoding", "no such encoding"),
        (changed(connection="a'b"), "connection", "pattern"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_rule(given, field, said):
    with pytest.raises(DeclarationError, match=r"^here: ") as raised:
        parse(given, where="here")
    fields = [place for place, _, _ in raised.value.fields]
    assert any(place.startswith(field) or (field == "declaration" and not place) for place in fields), fields
    assert said in str(raised.value)


def test_a_huge_value_is_not_repeated_whole():
    with pytest.raises(DeclarationError) as raised:
        parse(changed(uri="ftp://" + "x" * 100_000), where="here")
    assert len(str(raised.value)) < 1000


def test_a_file_s_name_is_the_ingestion_s(tmp_path):
    path = tmp_path / "meters.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in METERS.items() if key != "name"}))
    assert read_yaml(path).name == "meters"
    path.write_text(yaml.safe_dump(changed(name="others")))
    with pytest.raises(DeclarationError, match="name='others' is not the file's"):
        read_yaml(path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\x00", ""], ids=["list", "no yaml", "binary", "empty"])
def test_a_file_that_is_no_declaration_is_refused_by_name(tmp_path, text):
    path = tmp_path / "meters.yaml"
    path.write_text(text)
    with pytest.raises(DeclarationError, match=r"meters\.yaml"):
        read_yaml(path)


def test_a_ledger_s_source_has_to_be_declared(tmp_path):
    path = tmp_path / "loads.yaml"
    document = {"uri": "s3://b/*.xls", "format": "rte_xls", "target": {"kind": "measurements", "source": "nowhere"}}
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SourceDeclarationError, match="nowhere"):
        read_yaml(path)


def test_what_is_shipped_is_valid_and_not_enabled(monkeypatch):
    monkeypatch.setenv("POWERSENSE_PROJECT_ROOT", str(ROOT))
    paths = sorted(declared_folder().glob("*.yaml"))
    assert paths
    assert not any(read_yaml(path).enabled for path in paths)


def test_validate_tells_each_file_and_fails_where_one_is_wrong(tmp_path, capsys):
    (tmp_path / "meters.yaml").write_text(yaml.safe_dump(METERS))
    (tmp_path / "wrong.yaml").write_text("uri: nowhere\n")
    assert main(["validate", str(tmp_path / "meters.yaml")]) == 0
    assert main(["validate", *map(str, sorted(tmp_path.glob("*.yaml")))]) == 2
    told = capsys.readouterr()
    assert "meters.yaml: s3://bucket/meters/{yyyy}/{mm}/*.csv into meters" in told.out
    assert "wrong.yaml" in told.err


def test_declarations_are_pure():
    script = (
        "import sys; import powersense.files.declaration, powersense.files.stored_file\n"
        "print([name for name in ('airflow', 'clickhouse_connect', 'pyarrow', 'obstore') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "include")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_are_configuration_errors():
    assert issubclass(DeclarationError, ConfigurationError)
    assert Ingestion.model_validate(METERS).pool == "default"
