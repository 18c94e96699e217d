"""The baseline detector's parameters and its way to the fixed point, without a server."""

from __future__ import annotations

import re
from datetime import date
from statistics import NormalDist

import pytest

from powersense.detection.baseline_zscore import MAD_TO_STANDARD_DEVIATION, BaselineZScore
from powersense.detection.interface import Detector, statement
from powersense.errors import ConfigurationError
from powersense.score import detector_from
from powersense.settings import Settings


class ScriptedWorkspace:
    """A workspace whose results disagree with their flags as given, then no more; keeps each pass's areas and day."""

    def __init__(self, *disagreements: list[tuple[str, date]]) -> None:
        self.answers = [*disagreements, []]
        self.turns: list[tuple[list[str], date]] = []

    def execute(self, statement, parameters):
        if "first_day" in parameters:
            self.turns.append((parameters["areas"], parameters["first_day"]))

    def rows(self, statement, parameters):
        return self.answers[len(self.turns) - 1]

    def frame(self, statement, parameters):
        raise NotImplementedError

    def insert(self, table, frame):
        raise NotImplementedError


def test_it_is_a_detector_and_reads_the_level_before_its_oldest_sample():
    detector: Detector = BaselineZScore(lookback_days=70, level_days=7)
    assert (detector.name, detector.history_days) == ("baseline_zscore", 77)


def test_a_pass_confirms_or_the_next_one_starts_after_the_first_disagreement_with_the_areas_that_disagree():
    settled = ScriptedWorkspace()
    assert BaselineZScore().score(settled) == 1
    unsettled = ScriptedWorkspace(
        [("Bretagne", date(2017, 10, 4)), ("Occitanie", date(2017, 9, 30))], [("Occitanie", date(2017, 10, 7))]
    )
    assert BaselineZScore().score(unsettled) == 3
    assert unsettled.turns == [
        ([], date(1970, 1, 1)),
        (["Bretagne", "Occitanie"], date(2017, 10, 1)),
        (["Occitanie"], date(2017, 10, 8)),
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"min_samples": 1}, "min_samples=1"),
        ({"lookback_days": 28, "min_samples": 5}, "can never be met: a look-back of 28 days holds 4 days"),
        ({"level_days": 0}, "level_days=0"),
    ],
    ids=["one sample", "a look-back too short for the sample", "no level"],
)
def test_parameters_that_cannot_work_are_refused_by_name(parameters, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        BaselineZScore(**parameters)


def test_the_settings_describe_the_detector_and_share_its_defaults():
    assert detector_from(Settings()) == BaselineZScore()
    chosen = Settings(score_method="classic", score_threshold=4, score_lookback_days=56, score_min_samples=5)
    assert detector_from(chosen) == BaselineZScore(method="classic", threshold=4, lookback_days=56, min_samples=5)


def test_the_factor_is_that_of_a_normal_distribution():
    assert pytest.approx(1 / NormalDist().inv_cdf(0.75), abs=5e-5) == MAD_TO_STANDARD_DEVIATION


def test_no_frame_of_the_statement_reaches_the_scored_day():
    frames = re.findall(r"RANGE BETWEEN .*", statement("baseline_zscore"))
    assert len(frames) == 2
    assert all(frame.endswith("PRECEDING AND 1 PRECEDING") for frame in frames)
