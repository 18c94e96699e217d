"""What an Airflow connection's fields become, and which connections are refused."""

from __future__ import annotations

import json

import pytest

from powersense.errors import ConfigurationError
from powersense.files.declaration import Ingestion
from powersense.settings import Settings
from powersense.sources.object_stores.logins import login_of
from powersense.sources.object_stores.remote import open_remote_store

SECRET = "a-secret-nobody-may-see"
TARGET = {"kind": "table", "table": "meters", "columns": [{"name": "a"}]}
URIS = {"s3": "s3://bucket/*.csv", "abfs": "abfs://box@account/*.csv", "gs": "gs://bucket/*.csv"}


@pytest.fixture
def ingestion(monkeypatch):
    def declared(scheme_or_uri: str, connection: dict | None = None) -> Ingestion:
        if connection is not None:
            monkeypatch.setenv("AIRFLOW_CONN_FILES_TEST", json.dumps(connection))
        uri = URIS.get(scheme_or_uri, scheme_or_uri)
        name = "" if connection is None else "files_test"
        return Ingestion.model_validate(
            {"name": "meters", "uri": uri, "connection": name, "format": "csv", "target": TARGET}
        )

    return declared


@pytest.mark.parametrize(
    ("scheme", "connection", "config", "keys"),
    [
        ("s3", {"conn_type": "aws", "login": "k", "password": "s"}, {"region": "us-east-1"}, ("k", "s", "")),
        (
            "s3",
            {
                "conn_type": "aws",
                "extra": {
                    "aws_access_key_id": "k",
                    "aws_secret_access_key": "s",
                    "aws_session_token": "t",
                    "region_name": "eu-west-3",
                    "endpoint_url": "https://minio.example:9000/",
                },
            },
            {"region": "eu-west-3", "endpoint": "https://minio.example:9000"},
            ("k", "s", "t"),
        ),
        ("s3", {"conn_type": "aws"}, {"region": "us-east-1"}, ()),  # the machine's own role
        ("s3", None, {"region": "us-east-1", "skip_signature": True}, ()),
        (
            "abfs",
            {"conn_type": "wasb", "login": "account", "password": "a2V5"},
            {"account_name": "account", "account_key": "a2V5", "credential_type": "access_key"},
            ("account", "a2V5"),
        ),
        (
            "abfs://box/*.csv",
            {"conn_type": "wasb", "login": "account", "extra": {"sas_token": "?sv=1&sig=x"}},
            {"account_name": "account", "sas_key": "sv=1&sig=x", "credential_type": "sas_token"},
            (),
        ),
        (
            "abfs",
            {"conn_type": "wasb", "login": "id", "password": "s", "extra": {"tenant_id": "t"}},
            {
                "account_name": "account",
                "tenant_id": "t",
                "client_id": "id",
                "client_secret": "s",
                "credential_type": "client_secret",
            },
            (),
        ),
        (
            "abfs://box/*.csv",
            {
                "conn_type": "wasb",
                "extra": {"connection_string": "AccountName=acc;AccountKey=a2V5PQ==;BlobEndpoint=http://h:1/acc"},
            },
            {
                "account_name": "acc",
                "account_key": "a2V5PQ==",
                "credential_type": "access_key",
                "endpoint": "http://h:1/acc",
            },
            ("acc", "a2V5PQ=="),
        ),
        (
            "abfs://box@account.dfs.core.chinacloudapi.cn/*.csv",
            {"conn_type": "adls", "login": "account", "password": "a2V5"},
            {
                "account_name": "account",
                "account_key": "a2V5",
                "credential_type": "access_key",
                "endpoint": "https://account.blob.core.chinacloudapi.cn",
            },
            ("account", "a2V5"),
        ),
        (
            "gs",
            {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": {"client_email": "x"}}},
            {"service_account_key": '{"client_email": "x"}'},
            (),
        ),
        (
            "gs",
            {"conn_type": "google_cloud_platform", "extra": {"extra__google_cloud_platform__key_path": "/k.json"}},
            {"service_account": "/k.json"},
            (),
        ),
        (
            "gs",
            {"conn_type": "gcs", "login": "hmac", "password": "s", "extra": {"endpoint": "http://h:1"}},
            {"base_url": "http://h:1", "skip_signature": True},
            ("hmac", "s"),
        ),
    ],
)
def test_fields_become_options(ingestion, scheme, connection, config, keys):
    login = login_of(ingestion(scheme, connection))
    assert dict(login.config) == config
    assert login.keys == keys


@pytest.mark.parametrize(
    ("scheme", "connection", "message"),
    [
        ("s3", {"conn_type": "clickhouse", "login": "k"}, r"type 'clickhouse'; s3:// needs one of aws, s3, generic"),
        ("abfs", {"conn_type": "aws"}, r"type 'aws'; abfs:// needs one of wasb"),
        ("s3", {"conn_type": "aws", "login": "k"}, "half a login: put the access key into login, its secret into"),
        ("s3", {"conn_type": "aws", "extra": {"role_arn": "arn:aws:iam::1:role/x"}}, "'role_arn', which is not used"),
        ("s3", {"conn_type": "aws", "extra": {"endpoint_url": f"http://u:{SECRET}@h"}}, "no plain http"),
        ("s3", {"conn_type": "aws", "extra": {"endpoint_url": "file:///etc"}}, "no plain http"),
        ("s3", {"conn_type": "aws", "extra": {"verify": False}}, "trust any server"),
        ("s3", {"conn_type": "aws", "extra": {"verify": "/not/there.pem"}}, "'/not/there.pem', which is no readable"),
        ("abfs://box/*.csv", None, "names no storage account: write abfs://container@account"),
        ("abfs", {"conn_type": "wasb", "login": "other", "password": "a2V5"}, "'account', but .* logs in as 'other'"),
        ("abfs", {"conn_type": "wasb", "login": "account", "password": SECRET}, "the login cannot be read"),
        ("gs", {"conn_type": "gcs", "extra": {"keyfile_dict": SECRET}}, "the login cannot be read"),
        ("gs", {"conn_type": "gcs", "extra": {"key_path": "/not/there.json"}}, "the login cannot be read"),
    ],
)
def test_a_connection_that_cannot_lead_there_is_refused_before_any_request(ingestion, scheme, connection, message):
    with pytest.raises(ConfigurationError, match=message) as error:
        open_remote_store(ingestion(scheme, connection), settings=Settings())
    assert SECRET not in str(error.value)


def test_a_connection_that_is_not_defined_is_named_with_its_variable():
    declared = {"name": "m", "uri": URIS["s3"], "connection": "nowhere", "format": "csv", "target": TARGET}
    with pytest.raises(ConfigurationError, match="'nowhere' is not defined; set AIRFLOW_CONN_NOWHERE"):
        login_of(Ingestion.model_validate(declared))


def test_no_secret_is_shown_by_a_login(ingestion):
    login = login_of(ingestion("s3", {"conn_type": "aws", "login": "k", "password": SECRET}))
    assert SECRET not in repr(login)
