"""The baseline detector: a z-score against the same day type and time of day, worked out inside ClickHouse.

With a load x on day d, of a type (Monday … Sunday, public holiday) and in a 15-minute Paris-local bucket b:

- level L(d) = median of the hourly loads of the `level_days` days before d;
- sample R(d, b) = {x(j, b) / L(j)} over earlier days j of d's type, at most `lookback_days` back;
- expected = median(R) · L(d), scale = max(1.4826 · MAD(R), floor · median(R)) · L(d), z = (x - expected) / scale.

`classic` takes mean and standard deviation in place of median and MAD. A point is an anomaly when |z| reaches
`threshold` and the deviation reaches max(`min_deviation_mw`, `min_deviation_share` · expected).

Why the ratio to a level: load follows the season by a factor of two, so a plain median over a year has a scale of 13
to 23 % of the load, and one over eight weeks lags behind every change of season. Why hourly loads in the level: every
vintage has them, so 15-minute and half-hour days weigh the same. Why the floor: three or four ratios can lie close
together by chance. docs/how-scoring-works.md has the figures.

Source: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers", ASQC 1993 (z-scores from the median and the
MAD; the MAD of a normal distribution is 0.6745 standard deviations, and 1 / 0.6745 = 1.4826).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal

from powersense.detection.interface import Workspace, statement
from powersense.errors import ConfigurationError

BASELINE = "baseline_zscore"
MAD_TO_STANDARD_DEVIATION = 1.4826

_SMALLEST_SAMPLE = 2


@dataclass(frozen=True)
class BaselineZScore:
    """The baseline detector with its parameters; an instance of `interface.Detector`.

    Attributes:
        method: `robust` (median, MAD) or `classic` (mean, standard deviation).
        threshold: |z| from which a point can be an anomaly.
        lookback_days: how far back the samples reach, in Paris days. A year, so that public holidays (eleven a year)
            have a sample too.
        min_samples: below this many samples a point has the status `insufficient_history` and no z-score. Three is
            what the quarters :15 and :45, which only real time publishes, offer after four weeks.
        min_deviation_mw: least deviation of an anomaly, in MW.
        min_deviation_share: the same as a share of the expected load; the larger of the two counts.
        scale_floor_share: least scale, as a share of the expected load.
        level_days: days before the scored one that make its level; whole weeks, so that each weekday weighs the same.
        level_min_values: hourly loads without which there is no level.

    Raises:
        ConfigurationError: a parameter is out of its range; names it and its value.
    """

    method: Literal["robust", "classic"] = "robust"
    threshold: float = 3.0
    lookback_days: int = 365
    min_samples: int = 3
    min_deviation_mw: float = 100.0
    min_deviation_share: float = 0.25
    scale_floor_share: float = 0.03
    level_days: int = 7
    level_min_values: int = 24

    def __post_init__(self) -> None:
        least = {
            "threshold": 0,
            "lookback_days": 7,
            "level_days": 1,
            "min_samples": _SMALLEST_SAMPLE,
            "level_min_values": 1,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if value < bound:
                raise ConfigurationError(f"{name}={value!r} of the baseline detector must be at least {bound}")
        if self.min_samples > self.lookback_days // 7:
            raise ConfigurationError(
                f"min_samples={self.min_samples} can never be met: a look-back of {self.lookback_days} days holds "
                f"{self.lookback_days // 7} days of each type"
            )

    @property
    def name(self) -> str:
        """Name in the tables; the two methods share it, since an installation runs one of them."""
        return BASELINE

    @property
    def history_days(self) -> int:
        """Days read before the first target: the samples', and those of the oldest sample's level."""
        return self.lookback_days + self.level_days

    def score(self, workspace: Workspace) -> int:
        """Score all targets; see `interface.Detector.score`.

        Whether a point is an anomaly decides what later baselines hold, so flags and baselines are worked out in
        turns until they agree. An area's results up to the first day on which they disagree rest on settled flags and
        are final, so each pass starts a day later or more, with the areas that disagree. A range scored before agrees
        at once.
        """
        parameters = asdict(self) | {"scale_factor": MAD_TO_STANDARD_DEVIATION}
        areas: list[str] = []
        first_day, passes = date(1970, 1, 1), 0
        while True:
            passes += 1
            turn = {"areas": areas, "first_day": first_day, "pass": passes}
            workspace.execute(statement("baseline_zscore"), parameters | turn)
            disagreements = workspace.rows(statement("first_disagreements"), {})
            if not disagreements:
                return passes
            workspace.execute("TRUNCATE TABLE scoring_flags", {})
            workspace.execute(statement("take_flags"), {})
            areas = [area for area, _ in disagreements]
            first_day = min(day for _, day in disagreements) + timedelta(days=1)
