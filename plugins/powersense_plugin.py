"""Registers with Airflow what PowerSense adds to it; nothing is done here."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from powersense.quality.deadlines import NewestObservation


class PowerSensePlugin(AirflowPlugin):
    """Deadlines that count from the newest observation."""

    name = "powersense"
    deadline_references = [NewestObservation]  # noqa: RUF012 - Airflow reads a plain list
