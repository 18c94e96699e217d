"""The files by which logs reach Loki: Alloy's parses and fits together, and dashboards ask for labels that it sets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alloy import AlloySyntaxError, Block, Reference, parse

FILES = Path(__file__).resolve().parents[2] / "observability"
DASHBOARDS = sorted((FILES / "grafana/dashboards").glob("*.json"))


# Components that the configuration may use: what they must be given, what they may be, their blocks, what they give.
_STAGES: dict[str, tuple[set[str], set[str]]] = {
    "stage.json": ({"expressions"}, {"source", "drop_malformed"}),
    "stage.regex": ({"expression"}, {"source", "labels_from_groups"}),
    "stage.template": ({"source", "template"}, set()),
    "stage.labels": ({"values"}, set()),
    "stage.timestamp": ({"source", "format"}, {"fallback_formats", "location", "action_on_failure"}),
    "stage.label_drop": ({"values"}, set()),
}
COMPONENTS: dict[str, tuple[set[str], set[str], dict[str, tuple[set[str], set[str]]], set[str]]] = {
    "logging": (set(), {"level", "format"}, {}, set()),
    "discovery.docker": ({"host"}, {"refresh_interval"}, {"filter": ({"name", "values"}, set())}, {"targets"}),
    "discovery.relabel": (
        {"targets"},
        set(),
        {"rule": (set(), {"source_labels", "target_label", "regex", "replacement", "action", "separator"})},
        {"output", "rules"},
    ),
    "loki.source.docker": ({"host", "targets", "forward_to"}, {"labels", "relabel_rules"}, {}, set()),
    "local.file_match": ({"path_targets"}, {"sync_period"}, {}, {"targets"}),
    "loki.source.file": ({"targets", "forward_to"}, {"tail_from_end", "encoding"}, {}, set()),
    "loki.process": ({"forward_to"}, set(), _STAGES, {"receiver"}),
    "loki.write": (set(), {"external_labels"}, {"endpoint": ({"url"}, {"headers", "tenant_id"})}, {"receiver"}),
}


def references(value: Any) -> list[Reference]:
    if isinstance(value, Reference):
        return [value]
    parts = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return [found for part in parts for found in references(part)]


def check(block: Block, required: set[str], optional: set[str], blocks: dict[str, Any]) -> None:
    assert required <= set(block.arguments) <= required | optional, block.name
    for inner in block.blocks:
        assert inner.name in blocks, f"{block.name} has no block {inner.name}"
        check(inner, *blocks[inner.name], {})


def test_the_configuration_of_alloy_parses_and_its_components_fit_together() -> None:
    components = parse((FILES / "alloy/config.alloy").read_text())
    exports = {(*part.name.split("."), part.label, name) for part in components for name in COMPONENTS[part.name][3]}
    used = set()
    for part in components:
        required, optional, blocks, _ = COMPONENTS[part.name]
        assert (part.label is None) == (part.name == "logging")
        check(part, required, optional, blocks)
        used |= {reference.path for value in part.arguments.values() for reference in references(value)}
    assert used <= exports
    # Nothing is read that goes nowhere.
    assert {path[-2] for path in exports} == {path[-2] for path in used}
    loki = yaml.safe_load((FILES / "grafana/provisioning/datasources/powersense.yml").read_text())["datasources"][2]
    [write] = [part for part in components if part.name == "loki.write"]
    assert write.blocks[0].arguments["url"] == f"{loki['url']}/loki/api/v1/push"


@pytest.mark.parametrize(
    "wrong", ['a "b" {', "a = 1", 'a "b" { c = }', 'a "b" { c = [1 }', 'a "b" { c = 1 d = 2 }', "a ! {}"]
)
def test_the_reader_of_alloy_refuses_what_is_none(wrong: str) -> None:
    with pytest.raises(AlloySyntaxError):
        parse(wrong)


def test_the_dashboards_ask_loki_for_labels_that_alloy_sets() -> None:
    components = {part.name: part for part in parse((FILES / "alloy/config.alloy").read_text())}
    rules = components["discovery.relabel"].blocks
    [labels] = [stage for stage in components["loki.process"].blocks if stage.name == "stage.labels"]
    known = {rule.arguments["target_label"] for rule in rules} | set(labels.arguments["values"])
    panels = [panel for file in DASHBOARDS for panel in json.loads(file.read_text())["panels"]]
    targets = [target for panel in panels for target in panel.get("targets", [])]
    asked = [target["expr"] for target in targets if target["datasource"]["type"] == "loki"]
    assert asked
    for expression in asked:
        [selector] = re.findall(r"\{([^}]*)\}", expression)
        assert {matcher.split("=")[0].strip(" !~") for matcher in selector.split(",")} <= known


def test_the_configuration_of_loki_has_the_sections_of_one_process_with_a_schema_and_an_end_to_logs() -> None:
    loki = yaml.safe_load((FILES / "loki/loki.yml").read_text())
    sections = {"auth_enabled", "server", "common", "schema_config", "compactor", "limits_config", "analytics"}
    assert set(loki) == sections
    [schema] = loki["schema_config"]["configs"]
    assert set(schema) == {"from", "store", "object_store", "schema", "index"}
    assert (schema["store"], schema["schema"], schema["index"]["period"]) == ("tsdb", "v13", "24h")
    # Retention is done by the compactor, which has to know where.
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"] == schema["object_store"] == "filesystem"
    assert int(loki["limits_config"]["retention_period"].removesuffix("h")) % 24 == 0
