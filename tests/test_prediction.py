"""What every likelihood promises, each checked against its own density."""

import math
from dataclasses import dataclass, field

import pytest
import torch

from mts3.likelihoods.student_t import StudentT
from mts3.metrics import LikelihoodSums, coverage, nll
from mts3.prediction import Prediction
from mts3.types import Tensor

LIKELIHOODS = [Prediction, StudentT]
GRID = torch.linspace(-400.0, 400.0, 800_001, dtype=torch.float64)[None, :, None]


def pred_of(kind, steps=5, reward=False):
    g = torch.Generator().manual_seed(0)
    mean = torch.randn(2, steps, 3, generator=g, dtype=torch.float64)
    var = 0.3 + torch.rand(2, steps, 3, generator=g, dtype=torch.float64)
    return kind(mean, var, Prediction(mean[..., :1], var[..., :1]) if reward else None)


def on_grid(kind):
    """Mean 0.7 and variance 2 everywhere on a fine grid."""
    return kind(torch.full_like(GRID, 0.7), torch.full_like(GRID, 2.0))


@pytest.mark.parametrize("kind", LIKELIHOODS)
class TestLikelihood:
    def test_density_has_the_mean_and_variance_it_says(self, kind):
        density, width = on_grid(kind).log_density(GRID - 0.7).exp(), (GRID[0, 1] - GRID[0, 0]).item()
        assert (density.sum() * width).item() == pytest.approx(1.0, abs=1e-6)
        assert ((density * GRID).sum() * width).item() == pytest.approx(0.7, abs=1e-5)
        assert ((density * (GRID - 0.7) ** 2).sum() * width).item() == pytest.approx(2.0, rel=1e-3)

    def test_cdf_is_the_integral_of_the_density(self, kind):
        pred, width = on_grid(kind), (GRID[0, 1] - GRID[0, 0]).item()
        density = pred.log_density(GRID - 0.7).exp()
        integral = (density.cumsum(1) - 0.5 * density) * width
        torch.testing.assert_close(pred.cdf(GRID), integral, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("p", [0.001, 0.05, 0.3, 0.5, 0.8, 0.975, 0.9999])
    def test_quantile_inverts_the_cdf(self, kind, p):
        pred = pred_of(kind)
        torch.testing.assert_close(pred.cdf(pred.quantile(p)), torch.full_like(pred.mean, p), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("p", [0.0, 1.0, -0.1, math.nan])
    def test_a_quantile_of_no_probability_is_refused(self, kind, p):
        with pytest.raises(ValueError, match="strictly between 0 and 1, got"):
            pred_of(kind).quantile(p)
        with pytest.raises(ValueError, match="level must lie strictly between 0 and 1, got"):
            pred_of(kind).interval(p)

    @pytest.mark.parametrize("value", [-3.0, 0.7, 1.5, 9.0])
    def test_crps_is_its_integral(self, kind, value):
        pred, width = on_grid(kind), (GRID[0, 1] - GRID[0, 0]).item()
        integral = ((pred.cdf(GRID) - (value <= GRID).double()).square().sum() * width).item()
        one = kind(torch.full((1, 1, 1), 0.7), torch.full((1, 1, 1), 2.0))
        assert one.crps(torch.full((1, 1, 1), value)).item() == pytest.approx(integral, abs=1e-3)

    def test_samples_are_distributed_as_the_cdf_says(self, kind):
        pred = pred_of(kind, steps=1)
        draws = pred.sample(40_000, torch.Generator().manual_seed(1))
        assert draws.shape == (40_000, 2, 1, 3)
        ranks = kind(pred.mean.expand(40_000, 2, 1, 3)[:, 0], pred.var.expand(40_000, 2, 1, 3)[:, 0]).cdf(draws[:, 0])
        for share in (0.05, 0.5, 0.95):
            assert (ranks <= share).double().mean().item() == pytest.approx(share, abs=0.006)
        again = pred.sample(40_000, torch.Generator().manual_seed(1))
        assert torch.equal(draws, again)

    def test_an_interval_holds_what_it_should(self, kind):
        pred = pred_of(kind, steps=200)
        obs = pred.sample(60, torch.Generator().manual_seed(2))
        for level in (0.5, 0.9):
            inside = sum(coverage(pred, one, level) for one in obs) / len(obs)
            assert inside == pytest.approx(level, abs=0.01)

    def test_what_is_not_observed_adds_nothing_and_gets_no_gradient(self, kind):
        pred = pred_of(kind)
        mean, var = pred.mean.clone().requires_grad_(), pred.var.clone().requires_grad_()
        obs = pred.mean + 1.0
        obs[0, 1, 2] = torch.nan
        kind(mean, var).log_prob(obs).sum().backward()
        assert mean.grad is not None
        assert var.grad is not None
        assert mean.grad[0, 1, 2] == var.grad[0, 1, 2] == 0
        assert torch.isfinite(mean.grad).all()
        assert (mean.grad != 0).sum() == mean.numel() - 1
        expected = kind(mean, var).log_density(obs - mean)
        torch.testing.assert_close(kind(mean, var).log_prob(obs), expected.nansum(-1))

    def test_other_units_change_the_density_by_the_scale(self, kind):
        pred, obs = pred_of(kind), pred_of(kind).sample(1, torch.Generator().manual_seed(3))[0]
        scale, offset = torch.tensor([2.0, 0.5, 10.0]).double(), torch.tensor([1.0, -3.0, 0.0]).double()
        physical = pred.affine(scale, offset)
        torch.testing.assert_close(physical.cdf(obs * scale + offset), pred.cdf(obs))
        torch.testing.assert_close(physical.log_prob(obs * scale + offset), pred.log_prob(obs) - scale.log().sum())
        torch.testing.assert_close(physical.crps(obs * scale + offset), pred.crps(obs) * scale)

    def test_parts_put_together_are_the_whole(self, kind):
        pred = pred_of(kind, reward=True)
        whole = Prediction.cat([pred.steps(slice(None, 2)), pred.steps(slice(2, None))])
        assert type(whole) is kind
        assert whole.reward is not None
        assert pred.reward is not None
        for found, expected in ((whole, pred), (whole.reward, pred.reward)):
            assert torch.equal(found.mean, expected.mean)
            assert torch.equal(found.var, expected.var)

    def test_scores_are_those_of_the_likelihood(self, kind):
        pred, target = pred_of(kind), pred_of(kind).sample(1, torch.Generator().manual_seed(4))[0]
        target[0, 0] = torch.nan
        sums = LikelihoodSums(5, 3)
        sums.add(pred, target)
        assert sums.mean_nll() == pytest.approx(nll(pred, target).item())
        assert sums.mean_crps() == pytest.approx(pred.crps(target).nanmean().item())
        assert sums.coverage(0.9) == pytest.approx(coverage(pred, target, 0.9))


@dataclass(frozen=True)
class Skewed(Prediction):
    """A likelihood with a field of its own."""

    skew: Tensor = field(default_factory=lambda: torch.zeros(()))


def test_fields_of_a_likelihood_of_its_own_go_along():
    skew = torch.arange(10.0).reshape(2, 5, 1)
    pred = Skewed(torch.zeros(2, 5, 1), torch.ones(2, 5, 1), skew=skew)
    assert torch.equal(pred.steps(slice(1, 3)).skew, skew[:, 1:3])
    assert torch.equal(Prediction.cat([pred, pred]).skew, torch.cat((skew, skew), 1))  # pyright: ignore
    assert pred.map(Tensor.double).skew.dtype == torch.float64
    assert torch.equal(pred.affine(2.0, 1.0).skew, skew)


def test_student_t_is_the_textbook_one():
    """Four degrees of freedom: quantiles as in every table."""
    unit = StudentT(torch.zeros(1, 1, 1), torch.full((1, 1, 1), 2.0))  # variance 2: scale 1
    for p, z in ((0.9, 1.533206), (0.975, 2.776445), (0.995, 4.604095)):
        assert unit.quantile(p).item() == pytest.approx(z, abs=1e-5)


def test_a_surprise_costs_less_than_a_gaussian():
    mean, var = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    far = torch.full((1, 1, 1), 8.0)
    assert StudentT(mean, var).log_prob(far).item() > Prediction(mean, var).log_prob(far).item() + 20.0
