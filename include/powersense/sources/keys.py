"""Where a record belongs: its instant, area and vintage, or the reason why it has no place. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from powersense.contracts import AREA_BY_FOLDED_NAME, VINTAGE_BY_NATURE, QuarantineReason, fold
from powersense.sources.instants import resolve_instants
from powersense.sources.source import Source
from powersense.sources.values import Mask, as_text, is_missing

Reasons = npt.NDArray[Any]
_VINTAGE_BY_FOLDED_NATURE = {fold(nature): vintage.value for nature, vintage in VINTAGE_BY_NATURE.items()}


@dataclass(frozen=True)
class Keys:
    """Keys of all records, aligned with them.

    Attributes:
        observed_at: start of the step, UTC; NaT where unknown.
        area: the portal's spelling, or the published text where no area has that name.
        vintage: a contracts.Vintage.
        problem: a QuarantineReason, or "" where the record has its place.
        is_local_match: see instants.Instants.
    """

    observed_at: pd.Series
    area: pd.Categorical[str]
    vintage: pd.Categorical[str]
    problem: Reasons
    is_local_match: Mask

    @property
    def is_placed(self) -> Mask:
        """Records whose keys are all known."""
        return np.asarray(self.problem == "")


def resolve_keys(records: pd.DataFrame, source: Source) -> Keys:
    """Resolve the keys of each record; the first problem in the order instant, area, vintage counts."""
    instants = resolve_instants(records, source)
    area, area_problem = _areas(records, source)
    vintage, vintage_problem = _vintages(records, source)
    problem = np.where(instants.problem != "", instants.problem, area_problem)
    problem = np.where(problem != "", problem, vintage_problem).astype(np.str_)
    return Keys(instants.observed_at, area, vintage, problem, instants.is_local_match)


def _areas(records: pd.DataFrame, source: Source) -> tuple[pd.Categorical[str], Reasons]:
    if source.area_field is None:
        return _constant(str(source.fixed_area), len(records))
    known = None if source.accept_any_area else AREA_BY_FOLDED_NAME
    return _translate(records[source.area_field], known, QuarantineReason.UNKNOWN_AREA)


def _vintages(records: pd.DataFrame, source: Source) -> tuple[pd.Categorical[str], Reasons]:
    if source.vintage_field is None:
        return _constant(str(source.fixed_vintage), len(records))
    return _translate(records[source.vintage_field], _VINTAGE_BY_FOLDED_NATURE, QuarantineReason.UNKNOWN_VINTAGE)


def _constant(word: str, count: int) -> tuple[pd.Categorical[str], Reasons]:
    return pd.Categorical.from_codes(np.zeros(count, dtype=np.int8), categories=pd.Index([word])), np.full(count, "")


def _translate(
    column: pd.Series, known: dict[str, str] | None, unknown_reason: QuarantineReason
) -> tuple[pd.Categorical[str], Reasons]:
    """Translate each distinct text once; texts that `known` lacks stay as they are and get the reason."""
    text = as_text(column)
    codes, distinct = pd.factorize(text.mask(is_missing(text)))
    words = [str(word) for word in distinct]
    targets = words if known is None else [known.get(fold(word), word) for word in words]
    is_unknown = np.array([known is not None and fold(word) not in known for word in words] + [False])
    categories = list(dict.fromkeys(targets))
    position = np.array([categories.index(target) for target in targets] + [-1], dtype=np.int32)
    problem = np.where(codes < 0, QuarantineReason.MISSING_KEY, np.where(is_unknown[codes], unknown_reason, ""))
    return pd.Categorical.from_codes(position[codes], categories=pd.Index(categories)), problem
