"""CRPS against numerical integration, coverage against known beliefs."""

import math

import pytest
import torch

from mts3.metrics import coverage, crps_gaussian
from mts3.prediction import Prediction


@pytest.mark.parametrize(
    ("mean", "std", "value"), [(0.0, 1.0, 0.0), (1.5, 0.3, -0.4), (-2.0, 4.0, 9.0), (0.0, 1e-3, 0.7)]
)
def test_crps_is_the_integral_of_its_definition(mean, std, value):
    low, high = min(mean - 12 * std, value - 1), max(mean + 12 * std, value + 1)
    # Split at the observed value, where the integrand jumps.
    integral = 0.0
    for start, stop, after in ((low, value, 0.0), (value, high, 1.0)):
        y = torch.linspace(start, stop, 200_001, dtype=torch.float64)
        cdf = torch.special.ndtr((y - mean) / std)
        integral += torch.trapezoid((cdf - after) ** 2, y).item()
    as_tensor = torch.tensor([[[mean]]], dtype=torch.float64)
    pred = Prediction(as_tensor, torch.full_like(as_tensor, std**2))
    assert crps_gaussian(pred, torch.full_like(as_tensor, value)).item() == pytest.approx(integral, rel=1e-5, abs=1e-7)


def test_crps_tends_to_the_absolute_error(pred, target):
    sure = Prediction(pred.mean, torch.full_like(pred.var, 1e-12))
    torch.testing.assert_close(
        crps_gaussian(sure, target), (target - pred.mean).abs(), atol=1e-5, rtol=0, equal_nan=True
    )


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_true_beliefs_are_covered_at_their_level(level):
    generator = torch.Generator().manual_seed(0)
    std = 0.1 + torch.rand(200, 50, 4, generator=generator)
    target = std * torch.randn(200, 50, 4, generator=generator)
    pred = Prediction(torch.zeros_like(std), std**2)
    assert coverage(pred, target, level) == pytest.approx(level, abs=0.01)  # 40,000 values: 5 standard errors


def test_coverage_counts_observed_values_alone():
    mean = torch.zeros(1, 4, 1)
    target = torch.tensor([0.1, torch.nan, 9.0, torch.nan]).reshape(1, 4, 1)
    assert coverage(Prediction(mean, torch.ones_like(mean)), target, 0.9) == 0.5


def test_coverage_of_nothing_is_nan(pred):
    assert math.isnan(coverage(pred, torch.full_like(pred.mean, torch.nan), 0.9))


def test_level_out_of_range_is_refused(pred, target):
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1, got 90"):
        coverage(pred, target, 90.0)
