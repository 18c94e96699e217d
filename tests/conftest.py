"""Fixtures shared by all tests: the real ClickHouse engine, fresh databases, and a migrated Airflow home."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.nodeid import coerce_node_id
from filelock import FileLock
from hypothesis import settings as hypothesis_settings

from tests.warehouses import Warehouse, Warehouses

ROOT = Path(__file__).resolve().parents[1]

# Airflow reads its configuration at its first import, so its home is fixed before any test module is imported.
_AIRFLOW_HOME = tempfile.mkdtemp(prefix="powersense-airflow-")
os.environ.update(
    {
        "TZ": "UTC",
        "AIRFLOW_HOME": _AIRFLOW_HOME,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_AIRFLOW_HOME}/airflow.db",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": f"{_AIRFLOW_HOME}/cosmos",
        "DO_NOT_TRACK": "1",
        # Two test processes share two cores; OpenBLAS's waiting threads would take half of them.
        "OPENBLAS_NUM_THREADS": "1",
        "POWERSENSE_PROJECT_ROOT": str(ROOT),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "include"), os.environ.get("PYTHONPATH", "")])),
    }
)

# Time is measured in benchmarks/, never in a test.
hypothesis_settings.register_profile("powersense", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis_settings.load_profile("powersense")

if TYPE_CHECKING:
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.kafka import EmbeddedKafka
    from tests.object_stores.peers import Peer
    from tests.object_stores.servers import Azurite, FakeGcs, Moto


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name the routes in the ids of schemathesis' tests, which pytest 9.2 leaves out: xdist runs one test of an id."""
    for item in items:
        label = getattr(item, "operation_label", None)
        if label and label not in item.nodeid:
            item._id = coerce_node_id(f"{item.nodeid}[{label}]")


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    """The real engine on a free port, shared by the whole session."""
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port

    server = EmbeddedClickHouse(
        data_dir=tmp_path_factory.mktemp("clickhouse"),
        http_port=free_port(),
        writer_password=secrets.token_urlsafe(12),
        reader_password=secrets.token_urlsafe(12),
        loader_password=secrets.token_urlsafe(12),
    )
    with server:
        yield server


@pytest.fixture(scope="session")
def warehouses(clickhouse_server: EmbeddedClickHouse) -> Warehouses:
    """The migrated databases of the test engine, lent to one test after another."""
    return Warehouses(clickhouse_server)


@pytest.fixture
def warehouse(warehouses: Warehouses) -> Iterator[Warehouse]:
    """Migrated databases that hold nothing else; settings and Airflow connections point at them."""
    with warehouses.lend() as found:
        yield found


@pytest.fixture(scope="module")
def module_warehouse(warehouses: Warehouses) -> Iterator[Warehouse]:
    """The same for all tests of a module, which keep apart by the names of their tables."""
    with warehouses.lend() as found:
        yield found


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A real Kafka broker on a free port, shared by the whole session: tests take topics and groups of their own."""
    from powersense.local.kafka import EmbeddedKafka

    with EmbeddedKafka(tmp_path_factory.mktemp("kafka") / "broker.log") as broker:
        yield broker


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """A real S3 server on a free port, shared by the whole session: each test takes a bucket of its own."""
    from tests.object_stores.servers import Moto

    with Moto(tmp_path_factory.mktemp("s3") / "moto.log") as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Microsoft's emulator of Azure Blob Storage, shared by the whole session."""
    from tests.object_stores.servers import Azurite

    with Azurite(tmp_path_factory.mktemp("azure") / "azurite.log") as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGcs]:
    """A server of Google Cloud Storage's protocol, shared by the whole session."""
    from tests.object_stores.servers import FakeGcs

    with FakeGcs(tmp_path_factory.mktemp("gcs") / "gcs.log") as server:
        yield server


@pytest.fixture(params=["folder", "s3", "azure", "gcs"])
def object_store_peer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """An empty place for files on each kind of store; its Airflow connection is defined."""
    from tests.object_stores import peers

    name = f"test-{secrets.token_hex(4)}"
    folder = tmp_path / "files"
    folder.mkdir()
    makers: dict[str, Callable[[], Peer]] = {
        "folder": lambda: peers.FolderPeer(folder),
        "s3": lambda: peers.S3Peer(request.getfixturevalue("s3_server"), name),
        "azure": lambda: peers.AzurePeer(request.getfixturevalue("azure_server"), name),
        "gcs": lambda: peers.GcsPeer(request.getfixturevalue("gcs_server"), name),
    }
    peer = makers[request.param]()
    if peer.connection:
        monkeypatch.setenv(f"AIRFLOW_CONN_{peer.connection.upper()}", peer.connection_json())
    return peer


@pytest.fixture(scope="session")
def airflow_home() -> Iterator[Path]:
    """AIRFLOW_HOME with a migrated metadata database; DAG tests call `dag.test()` on it."""
    database = Path(_AIRFLOW_HOME, "airflow.db")
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    migrated = Path(tempfile.gettempdir(), f"powersense-airflow-{session}.db")
    # Once for all processes.
    with FileLock(f"{migrated}.lock"):
        if not migrated.exists():
            # transform_warehouse is rendered from the manifest: a fresh clone has none.
            for module in (["powersense.transform.artifacts"], ["airflow", "db", "migrate"]):
                command = [sys.executable, "-m", *module]
                subprocess.run(command, check=True, capture_output=True, timeout=180, cwd=ROOT)
            shutil.copyfile(database, migrated.with_suffix(".part"))
            migrated.with_suffix(".part").rename(migrated)
    shutil.copyfile(migrated, database)
    with pytest.MonkeyPatch.context() as patch:
        _read_dags_once(patch)
        yield database.parent


def _read_dags_once(patch: pytest.MonkeyPatch) -> None:
    """Keep `dag.test()` from reading and registering the whole folder again for each run: no test changes it."""
    from airflow.dag_processing import dagbag

    patch.setattr(dagbag, "BundleDagBag", cache(dagbag.BundleDagBag))
    patch.setattr(dagbag, "sync_bag_to_db", cache(dagbag.sync_bag_to_db))
