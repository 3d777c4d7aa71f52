import torch

from mts3.data.core.masks import after_context, forecast, given
from mts3.prediction import Prediction


def test_the_last_observation_is_only_a_target_and_what_is_hidden_is_masked() -> None:
    obs = torch.arange(10.0).reshape(1, 5, 2)
    obs[0, 1, 0] = torch.nan
    actions = torch.zeros(1, 4, 1)
    inputs, same, mask = given(obs, actions)
    assert inputs.shape == (1, 4, 2)
    assert same is actions
    assert (~mask).nonzero().tolist() == [[0, 1, 0]]
    _, _, mask = given(obs, actions, torch.tensor([[True, True, False, True]]))
    assert mask[0].tolist() == [[True, True], [False, True], [False, False], [True, True]]


def test_a_forecast_is_about_the_observations_after_the_context() -> None:
    obs, seen = torch.arange(12.0).reshape(2, 6, 1), []

    def predict(inputs, actions, mask) -> Prediction:
        seen.append(mask)
        return Prediction(inputs + 1.0, torch.ones_like(inputs))  # entry t is obs[t + 1]

    pred, target = forecast(predict, obs, torch.zeros(2, 5, 1), 2)
    assert torch.equal(pred.mean, target)
    assert torch.equal(target, obs[:, 2:])
    assert seen[0][0, :, 0].tolist() == [True, True, False, False, False]
    assert torch.equal(torch.arange(1, 6)[after_context(2)], torch.arange(2, 6))
