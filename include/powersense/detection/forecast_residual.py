"""The residual detectors: each load against the forecast that was issued for it a day, and an hour, before.

With a load x of a half-hour, and the newest forecast of that half-hour issued at least `lead` before it begins:

- expected = the forecast's median;
- scale = max((q90 - q10) / 2.563, `scale_floor_share` · expected), z = (x - expected) / scale.

A point is an anomaly when |z| exceeds `threshold` and the deviation exceeds max(`min_deviation_mw`,
`min_deviation_share` · expected). A half-hour without such a forecast has the status `insufficient_history`.

Why beside the baseline: a forecast knows the day's weather and its last weeks, so its band is a third as wide; a slow
loss of a fifth of the load stays inside the baseline's band and leaves this one. Why two leads: at the lead of a day
no forecast has seen the day's own fault; an hour ahead the band is narrower, but what a forecaster learned since
midnight may include the fault.

Source: the 10 % and 90 % quantiles of a normal distribution lie 2 · 1.2816 = 2.563 standard deviations apart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import NormalDist

from powersense.detection.interface import Workspace, statement
from powersense.errors import ConfigurationError

DAY_MINUTES = 24 * 60
HOUR_MINUTES = 60
Q10_TO_Q90_DEVIATIONS = 2 * NormalDist().inv_cdf(0.9)

# Detector names by lead, and how people call the lead.
NAMES = {DAY_MINUTES: "forecast_residual_day", HOUR_MINUTES: "forecast_residual_hour"}
ISSUED = {"forecast_residual_day": "a day before", "forecast_residual_hour": "an hour before"}


@dataclass(frozen=True)
class ForecastResidual:
    """A residual detector with its parameters; an instance of `interface.Detector`.

    Attributes:
        lead_minutes: least time from a forecast's issue to the half-hour that it is for; a day or an hour.
        threshold: |z| above which a point can be an anomaly.
        min_deviation_mw: deviation, in MW, that an anomaly exceeds.
        min_deviation_share: the same as a share of the expected load; the larger of the two counts.
        scale_floor_share: least scale, as a share of the expected load: a forecaster's narrowest hours are no measure.

    Raises:
        ConfigurationError: a parameter is out of its range; names it and its value.
    """

    lead_minutes: int
    threshold: float = 4.0
    min_deviation_mw: float = 100.0
    min_deviation_share: float = 0.15
    scale_floor_share: float = 0.01

    def __post_init__(self) -> None:
        if self.lead_minutes not in NAMES:
            raise ConfigurationError(
                f"lead_minutes={self.lead_minutes!r} of a residual detector must be one of {sorted(NAMES)}"
            )
        if self.threshold <= 0 or self.scale_floor_share <= 0:
            raise ConfigurationError(
                f"threshold={self.threshold!r} and scale_floor_share={self.scale_floor_share!r} of "
                f"{self.name} must be above 0"
            )

    @property
    def name(self) -> str:
        """Name in the tables: that of the lead."""
        return NAMES[self.lead_minutes]

    @property
    def history_days(self) -> int:
        """No earlier day is read: what a forecast knew of the past stands in it."""
        return 0

    def score(self, workspace: Workspace) -> int:
        """Score all targets; see `interface.Detector.score`. One pass: no result moves another one's forecast."""
        parameters = asdict(self) | {"as_of": workspace.as_of, "deviations": Q10_TO_Q90_DEVIATIONS}
        workspace.execute(statement("forecast_residual"), parameters)
        return 1
