"""The residual detectors' parameters, names and sentence, without a server."""

from __future__ import annotations

import re

import pytest

from powersense.detection.forecast_residual import Q10_TO_Q90_DEVIATIONS, ForecastResidual
from powersense.detection.interface import Detector
from powersense.errors import ConfigurationError
from powersense.score import residual_detectors_from
from powersense.settings import Settings


def test_the_leads_are_two_detectors_that_read_no_earlier_day():
    detectors: list[Detector] = [ForecastResidual(lead_minutes=1440), ForecastResidual(lead_minutes=60)]
    assert [detector.name for detector in detectors] == ["forecast_residual_day", "forecast_residual_hour"]
    assert [detector.history_days for detector in detectors] == [0, 0]


def test_the_settings_describe_the_detectors_and_share_their_defaults():
    assert residual_detectors_from(Settings()) == (
        ForecastResidual(lead_minutes=1440),
        ForecastResidual(lead_minutes=60),
    )
    chosen = Settings(forecast_residual_threshold=5, forecast_residual_min_mw=50, forecast_residual_min_share=0.2)
    assert residual_detectors_from(chosen)[1] == ForecastResidual(
        lead_minutes=60, threshold=5, min_deviation_mw=50, min_deviation_share=0.2
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lead_minutes": 90}, "lead_minutes=90 of a residual detector must be one of [60, 1440]"),
        ({"lead_minutes": 60, "threshold": 0}, "threshold=0"),
        ({"lead_minutes": 60, "scale_floor_share": 0}, "scale_floor_share=0"),
    ],
    ids=["another lead", "no threshold", "no floor"],
)
def test_parameters_that_cannot_work_are_refused_by_name(parameters, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        ForecastResidual(**parameters)


def test_the_scale_is_that_of_a_normal_distribution():
    assert pytest.approx(2.563, abs=5e-4) == Q10_TO_Q90_DEVIATIONS
