"""One episode with its points and what people say of it; saying so; and the bands that false alarms have widened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, get_args

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from powersense.api.auth import Access, Caller
from powersense.api.data.parameters import ALL_TIME, Range, areas_of, known_at
from powersense.api.data.rows import Direction, EpisodeLabel, EpisodeLabelOrNone, EpisodeRow, EpisodeState
from powersense.api.model_body import body_of, reads
from powersense.api.problems import ProblemError, answers
from powersense.detection.labels import BAND_PARAMETERS, Label
from powersense.warehouse.data_reads import Question, first_rows
from powersense.warehouse.labels import say
from powersense.warehouse.reader_pool import ReaderPool

# A hundred days of quarter-hours.
MAX_POINTS = 9_600
_MAX_SAID = 1_000
_MAX_KINDS = 10_000
_BODY = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class LabelRequest(BaseModel):
    """What `PUT /episodes/{episode_id}/label` takes: what the episode was, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    label: Literal["true_event", "data_error", "false_alarm"]
    comment: str = Field(default="", max_length=2_000)


read_label = reads(LabelRequest)


class SaidRow(BaseModel):
    """Something said of an episode; a label that is null took back what was said before."""

    label: EpisodeLabel | None
    comment: str
    author: str
    labelled_at: datetime


class LabelledEpisode(BaseModel):
    """The label of an episode; all but its id are null where nothing was ever said."""

    episode_id: str
    label: EpisodeLabel | None
    comment: str | None
    author: str | None
    labelled_at: datetime | None


class PointRow(BaseModel):
    """A score within an episode, in MW."""

    observed_at: datetime
    value_mw: float
    expected_mw: float | None
    lower_mw: float | None
    upper_mw: float | None
    z_score: float | None
    is_anomaly: bool


class EpisodeDetail(EpisodeRow):
    """An episode, all that was said of it (the newest first), and the scores of its time (the first 9,600)."""

    labels: list[SaidRow]
    scores: list[PointRow]


class ThresholdRow(BaseModel):
    """A kind of episode whose half-band is `factor` times as wide, by false alarms; their episodes, newest first."""

    detector: str
    area: str
    direction: Direction
    factor: float
    false_alarms: int
    since: datetime
    episodes: list[str]


def label_routes(access: Access) -> APIRouter:
    """Return the routes; who may read them is for the app to say."""
    routes = APIRouter(tags=["episodes"])
    pool = ReaderPool(keep=4)
    _add_reads(routes, pool)
    _add_writes(routes, pool, access)
    return routes


def _add_reads(routes: APIRouter, pool: ReaderPool) -> None:
    @routes.get("/episodes/{episode_id}", response_model=EpisodeDetail, responses=answers(HTTPStatus.NOT_FOUND))
    def episode(episode_id: str) -> dict[str, Any]:
        """Return an episode with its scores, and all that was said of it."""
        found = _episode(pool, episode_id)
        time = Range(datetime.fromisoformat(found["started_at"]), datetime.fromisoformat(found["ended_at"]))
        series = {name: found[name] for name in ("detector", "metric", "area")}
        scores = _rows(pool, "api_episode_points", series | time.bounds(), limit=MAX_POINTS)
        return found | {"labels": _history(pool, episode_id), "scores": scores}

    @routes.get("/thresholds", response_model=list[ThresholdRow])
    def thresholds() -> list[dict[str, Any]]:
        """List the kinds of episodes whose band false alarms have widened."""
        return _rows(pool, "api_thresholds", known_at("") | BAND_PARAMETERS, limit=_MAX_KINDS)


def _add_writes(routes: APIRouter, pool: ReaderPool, access: Access) -> None:
    @routes.put(
        "/episodes/{episode_id}/label",
        dependencies=[Depends(access.operate)],
        responses=answers(*_BODY),
        openapi_extra=body_of(LabelRequest),
    )
    def label(
        episode_id: str,
        said: LabelRequest = Depends(read_label),
        caller: Caller = Depends(access.operate),
    ) -> LabelledEpisode:
        """Say what an episode was; the newest label counts, in the scorings from now on."""
        return _say(episode_id, Label(said.label), comment=said.comment, author=caller.name)

    @routes.delete(
        "/episodes/{episode_id}/label",
        dependencies=[Depends(access.operate)],
        responses=answers(HTTPStatus.NOT_FOUND),
    )
    def take_back(episode_id: str, caller: Caller = Depends(access.operate)) -> LabelledEpisode:
        """Take an episode's label back; what it did to the scorings ends with it."""
        if _episode(pool, episode_id)["label"] is not None:
            return _say(episode_id, Label.NONE, comment="", author=caller.name)
        nothing = {"label": None, "comment": None, "author": None, "labelled_at": None}
        newest = next(iter(_history(pool, episode_id)), nothing)
        return LabelledEpisode(episode_id=episode_id, **newest)


def _say(episode_id: str, label: Label, *, comment: str, author: str) -> LabelledEpisode:
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        said = say(client, episode_id, label.value, comment=comment, author=author)
    if said is None:
        raise _unknown(episode_id)
    row = asdict(said) | ({"label": None} if label == Label.NONE else {})
    return LabelledEpisode.model_validate(row)


def _episode(pool: ReaderPool, episode_id: str) -> dict[str, Any]:
    """Return an episode as the listing of episodes shows it, in whatever state.

    Raises:
        ProblemError: 404, there is none.
    """
    any_episode = {
        "areas": areas_of(None),
        "states": list(get_args(EpisodeState)),
        "labels": list(get_args(EpisodeLabelOrNone)),
        "detectors": [],
    }
    parameters = any_episode | {"episode_ids": [episode_id]} | ALL_TIME.bounds() | known_at("")
    for found in _rows(pool, "api_episodes", parameters, limit=1):
        return found
    raise _unknown(episode_id)


def _history(pool: ReaderPool, episode_id: str) -> list[dict[str, Any]]:
    return _rows(pool, "api_episode_labels", {"episode_id": episode_id}, limit=_MAX_SAID)


def _unknown(episode_id: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, f"No episode {episode_id[:200]!r}; GET /episodes lists those that are.")


def _rows(pool: ReaderPool, name: str, parameters: Mapping[str, Any], *, limit: int) -> list[dict[str, Any]]:
    return first_rows(pool, Question(name, (), parameters), limit=limit)
