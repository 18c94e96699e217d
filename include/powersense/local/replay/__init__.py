"""A local replay of the ODRÉ portal (Explore API v2.1) on recorded real data, with faults on demand.

Beside it, Météo-France's files and observation API and Open-Meteo's forecasts: `powersense.local.replay.weather`.

`python -m powersense.local.replay --port 8190` serves the bundled sample; tests use `ReplayServer`.
"""

from powersense.local.replay.server import ReplayServer

__all__ = ["ReplayServer"]
