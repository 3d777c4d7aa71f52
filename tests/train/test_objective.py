import pytest
import torch

from mts3.metrics import crps_gaussian, nll
from mts3.prediction import Prediction
from mts3.train import TrainingModule, TrainingOptions, negative_log_likelihood
from tests.train.conftest import CONTEXT, WINDOW, Sequences, same_weights, short_fit, small_model


def batch_of(n: int) -> dict[str, torch.Tensor]:
    data = Sequences(n, 0)
    return {"obs": data.obs, "actions": data.actions}


def test_the_objective_is_the_likelihood_of_the_next_observation_and_of_the_reward() -> None:
    batch = batch_of(4) | {"reward": torch.zeros(4, 12, 1)}
    mean = torch.zeros(4, 12, 2)
    reward = Prediction(torch.ones(4, 12, 1), torch.full((4, 12, 1), 2.0))
    alone = negative_log_likelihood(Prediction(mean, torch.ones_like(mean)), batch)
    error = batch["obs"][:, 1:]
    per_step = 0.5 * (error.square() + torch.tensor(2 * torch.pi).log())
    assert alone.item() == pytest.approx(per_step.nansum(-1).mean().item(), rel=0.01)  # a step or two has no value
    both = negative_log_likelihood(Prediction(mean, torch.ones_like(mean), reward), batch)
    torch.testing.assert_close(both - alone, nll(reward, batch["reward"]))


def test_everything_visible_is_what_the_loss_of_a_module_takes_for_granted() -> None:
    module, batch = TrainingModule(small_model(), TrainingOptions(CONTEXT, WINDOW)), batch_of(3)
    pred = module.model(batch["obs"][:, :-1], batch["actions"])
    assert module.loss(batch) == nll(pred, batch["obs"][:, 1:])
    assert module.loss(batch) == module.loss(batch, torch.ones(3, 12, dtype=torch.bool))
    assert module.loss(batch) != module.loss(batch, torch.arange(12).expand(3, -1) < CONTEXT)


def test_another_objective_trains_another_model(tmp_path) -> None:
    shapes = set()

    def crps(pred: Prediction, batch) -> torch.Tensor:
        target = batch["obs"][:, 1:]
        shapes.add((pred.mean.shape[1:], target.shape[1:]))
        seen = ~target.isnan()
        return torch.where(seen, crps_gaussian(pred, torch.where(seen, target, 0.0)), 0.0).sum() / seen.sum()

    usual, _ = short_fit(tmp_path / "usual", 1)
    other, result = short_fit(tmp_path / "other", 1, objective=crps)
    assert shapes == {((12, 2), (12, 2))}
    assert result.gradient_steps == 3
    assert not same_weights(usual, other)
