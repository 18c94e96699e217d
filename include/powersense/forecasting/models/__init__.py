"""The load models, one a file, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from powersense.errors import ConfigurationError
from powersense.forecasting.models.analogue import Analogue
from powersense.forecasting.models.gam import Gam, GamWithoutWeather
from powersense.forecasting.models.last_week import LastWeek

if TYPE_CHECKING:
    from powersense.forecasting.interface import Forecaster

MODELS: dict[str, type[Gam] | type[Analogue] | type[LastWeek]] = {
    model.name: model for model in (Gam, GamWithoutWeather, Analogue, LastWeek)
}


def create(name: str) -> Forecaster:
    """Return an unfitted model.

    Raises:
        ConfigurationError: there is none of that name.
    """
    return _known(name)()


def restore(name: str, files: Mapping[str, bytes]) -> Forecaster:
    """Return a stored model.

    Raises:
        ConfigurationError: there is none of that name.
        ModelFileError: see `Forecaster.load`.
    """
    return _known(name).load(files)


def _known(name: str) -> type[Gam] | type[Analogue] | type[LastWeek]:
    if name not in MODELS:
        raise ConfigurationError(f"no model is named {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]
