"""Write what Airflow shows of the dbt project: `dbt/target/manifest.json` and the docs page.

`python -m powersense.transform.artifacts` needs no ClickHouse; `--catalog` adds the columns' types and needs one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from powersense.errors import ConfigurationError


def project_dir() -> Path:
    """Return the folder of the dbt project."""
    root = os.environ.get("POWERSENSE_PROJECT_ROOT")
    return (Path(root) if root else Path(__file__).resolve().parents[3]) / "dbt"


def manifest_path() -> Path:
    """Return the manifest that the DAG is rendered from.

    Raises:
        ConfigurationError: nobody has written it yet; names the command that does.
    """
    manifest = project_dir() / "target" / "manifest.json"
    if not manifest.is_file():
        raise ConfigurationError(
            f"{manifest} is missing, and the dbt models are rendered from it. "
            "Write it with `python -m powersense.transform.artifacts` (image build and make do so)."
        )
    return manifest


def docs_path() -> Path:
    """Return where the docs page lies once written."""
    return project_dir() / "target" / "static_index.html"


def write(*, folder: Path, with_catalog: bool = False) -> Path:
    """Parse the project and generate its docs as one self-contained page.

    Args:
        folder: the dbt project's folder; the artifacts go to its `target`.
        with_catalog: ask ClickHouse for the types of the columns.

    Returns:
        The page, `target/static_index.html`; `target/manifest.json` lies beside it.

    Raises:
        ConfigurationError: dbt refuses the project; carries dbt's message.
    """
    from dbt.cli.main import dbtRunner

    folders = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--quiet"]
    catalog = [] if with_catalog else ["--no-compile", "--empty-catalog"]
    runner = dbtRunner()
    for command in (["parse"], ["docs", "generate", "--static", *catalog]):
        result = runner.invoke([*command, *folders])
        if not result.success:
            raise ConfigurationError(f"dbt {' '.join(command)} in {folder} failed: {result.exception}")
    return folder / "target" / "static_index.html"


def main() -> None:
    """Write the artifacts of this installation's project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalog", action="store_true", help="ask ClickHouse for the types of the columns")
    arguments = parser.parse_args()
    write(folder=project_dir(), with_catalog=arguments.catalog)


if __name__ == "__main__":
    main()
