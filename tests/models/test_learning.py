"""Learning on data whose optimum is known: the Kalman filter of the system that made them."""

import numpy as np
import torch

import mts3
from mts3.gaussian import textbook
from mts3.metrics import nll
from mts3.prediction import Prediction

STEPS, DECAY, PUSH, STATE_NOISE, OBS_NOISE = 30, 0.95, 0.3, 0.05, 0.05


def simulate(batch: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """x' = 0.95 x + 0.3 a + noise, observed with noise: observations (B, T + 1, 1) and actions (B, T, 1)."""
    rng = np.random.default_rng(seed)
    actions = rng.standard_normal((batch, STEPS, 1))
    x = np.zeros((batch, STEPS + 1, 1))
    x[:, 0] = rng.standard_normal((batch, 1))
    for t in range(STEPS):
        noise = np.sqrt(STATE_NOISE) * rng.standard_normal((batch, 1))
        x[:, t + 1] = DECAY * x[:, t] + PUSH * actions[:, t] + noise
    obs = x + np.sqrt(OBS_NOISE) * rng.standard_normal(x.shape)
    return torch.tensor(obs, dtype=torch.float32), torch.tensor(actions, dtype=torch.float32)


def optimal(obs: torch.Tensor, actions: torch.Tensor) -> Prediction:
    """What the filter that knows the system predicts; the lower half of its state does nothing."""
    transition, noise = np.diag([DECAY, 0.0]), np.diag([STATE_NOISE, 1e-9])
    means, variances = [], []
    for y, a in zip(obs.double().numpy(), actions.double().numpy(), strict=True):
        shifts = np.concatenate([PUSH * a, np.zeros_like(a)], 1)
        prior = (np.zeros(2), np.diag([1.0, 1.0]))
        obs_var, mask = np.full((STEPS, 1), OBS_NOISE), np.ones(STEPS, dtype=bool)
        predicted = textbook.kalman_filter(prior, transition, shifts, noise, y[:-1], obs_var, mask)[1]
        means.append([mean[:1] for mean, _ in predicted])
        variances.append([cov[:1, 0] + OBS_NOISE for _, cov in predicted])
    return Prediction(torch.tensor(np.array(means)), torch.tensor(np.array(variances)))


def test_a_trained_model_comes_close_to_the_filter_that_knows_the_system():
    torch.manual_seed(0)
    sizes = {"encoder_hidden": 16, "control_hidden": 16, "decoder_hidden": 16}
    model = mts3.AcRKN(1, 1, latent_obs_dim=4, transition="modal", **sizes)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(250):
        obs, actions = simulate(64, seed=step)
        loss = nll(model(obs[:, :-1], actions), obs[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    obs, actions = simulate(100, seed=10_000)
    with torch.no_grad():
        learned = nll(model(obs[:, :-1], actions), obs[:, 1:]).item()
    best = nll(optimal(obs, actions), obs[:, 1:].double()).item()
    assert best < learned < best + 0.03


def test_the_reward_head_learns_what_the_state_earns():
    """A reward that is the square of the state: known up to the noise of the observation."""
    torch.manual_seed(0)
    sizes = {"encoder_hidden": 16, "control_hidden": 16, "decoder_hidden": 32}
    model = mts3.AcRKN(1, 1, latent_obs_dim=4, transition="modal", reward=True, **sizes)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def losses(batch: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        obs, actions = simulate(batch, seed)
        pred = model(obs[:, :-1], actions)
        earned = obs[:, 1:].square()
        assert pred.reward is not None
        return nll(pred, obs[:, 1:]), nll(pred.reward, earned), earned

    for step in range(150):
        of_obs, of_reward, _ = losses(64, seed=step)
        optimizer.zero_grad()
        (of_obs + of_reward).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    with torch.no_grad():
        _, learned, earned = losses(100, seed=10_000)
    constant = Prediction(earned.mean().expand_as(earned), earned.var().expand_as(earned))
    assert learned < nll(constant, earned) - 0.5
