"""The same half-hour of last week: the reference that every forecast must beat, and the last rung of the ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from powersense.forecasting.models.recurrence import WEEKS_BACK, Recurrence, weeks_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from powersense.forecasting.interface import History


class LastWeek(Recurrence):
    """The load of seven days before; of fourteen, and so on up to four weeks, where that is not known."""

    name = "last_week"

    def _repeat(self, history: History, load: NDArray[np.float64], issues: NDArray[np.intp]) -> NDArray[np.float64]:
        repeated = weeks_back(load, issues, 1)
        for weeks in range(2, WEEKS_BACK + 1):
            repeated = np.where(np.isnan(repeated), weeks_back(load, issues, weeks), repeated)
        return repeated
