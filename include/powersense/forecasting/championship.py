"""Who forecasts an area: what the recorded decisions come to, and when a challenger wins. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Action(StrEnum):
    """What was decided about an area's champion."""

    PROMOTE = "promote"
    KEEP = "keep"
    ROLLBACK = "rollback"


def champions(decisions: Iterable[tuple[str, str]]) -> list[str]:
    """Return the ids of the standing champions, the present one first, each earlier one the next to fall back to.

    A model that a rollback has taken down does not stand any more, nor do those after the one that came back.

    Args:
        decisions: (action, id of the model that is champion from then on), in order.

    >>> champions([("promote", "a"), ("keep", "b"), ("promote", "c"), ("rollback", "b"), ("keep", "d")])
    ['d', 'b', 'a']
    """
    standing: list[str] = []
    for action, model_id in decisions:
        if action == Action.ROLLBACK and model_id in standing:
            del standing[standing.index(model_id) + 1 :]
            continue
        if model_id in standing:
            standing.remove(model_id)
        standing.append(model_id)
    return standing[::-1]


def winner(mape_by_model: Mapping[str, float], *, champion: str | None, margin: float) -> tuple[str, str]:
    """Return the kind of model that forecasts from now on, and why.

    Args:
        mape_by_model: each kind's mean absolute percentage error over the held-out weeks, a share; at least one.
        champion: the present champion's kind; None where there is none.
        margin: share of the champion's error by which a challenger must be better.

    >>> winner({"gam": 0.0201, "analogue": 0.03}, champion="analogue", margin=0.02)[0]
    'gam'
    >>> winner({"gam": 0.0199, "analogue": 0.02}, champion="analogue", margin=0.02)[0]
    'analogue'
    """
    best = min(sorted(mape_by_model), key=lambda name: mape_by_model[name])
    measured = f"{best} has a MAPE of {mape_by_model[best]:.2%}"
    if champion is None:
        return best, f"{measured}, and there is no champion"
    if champion not in mape_by_model:
        return best, f"{measured}, and the champion {champion} can no longer be trained"
    standing = mape_by_model[champion]
    if best == champion:
        return champion, f"{measured}, no challenger a better one"
    if mape_by_model[best] < standing * (1 - margin):
        return best, f"{measured}, more than {margin:.0%} below the {standing:.2%} of {champion}"
    return champion, f"{measured}, not {margin:.0%} below the {standing:.2%} of {champion}"
