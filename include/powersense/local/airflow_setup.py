"""Brings Airflow's metadata database to the installed version and applies the declared pools.

One process for both, as importing Airflow is most of the work: ``python -m powersense.local.airflow_setup``.
"""

from __future__ import annotations

import os
from pathlib import Path

from powersense.local.airflow_settings_file import read_airflow_settings


def main() -> None:
    """Migrate the database and set the pools of ``airflow_settings.yaml``; safe to repeat."""
    from airflow.models.pool import Pool
    from airflow.utils import db

    db.upgradedb()
    root = Path(os.environ["POWERSENSE_PROJECT_ROOT"])
    for pool in read_airflow_settings(root / "airflow_settings.yaml").pools:
        Pool.create_or_update_pool(
            name=pool.name, slots=pool.slots, description=pool.description, include_deferred=False
        )


if __name__ == "__main__":
    main()
