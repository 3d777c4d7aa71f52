"""Generated sets: what all of them promise, a hidden payload that matters, an optimum that is one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mts3.data import SequenceDataset, Trajectory, describe, describe_known, fit_normalizer, load_dataset, split
from mts3.data.sets.generators import (
    GENERATED,
    Generated,
    arm_payload,
    generate_arm_payload,
    generate_three_scales,
    optimal_prediction,
    three_scales,
)
from mts3.errors import UserError
from mts3.gaussian import textbook
from mts3.models import Linear, Persistence
from mts3.train import fit_linear


@pytest.fixture(scope="module")
def arms() -> arm_payload.Episodes:
    return arm_payload.simulate(80, 121, seed=1)


# All sets


@pytest.fixture(params=GENERATED)
def name(request, monkeypatch, tmp_path) -> str:
    """A set, with few and short episodes, and a cache of the test's own."""
    found = GENERATED[request.param]
    few = {size: replace(recipe, episodes=3, rows=20) for size, recipe in found.recipes.items()}
    monkeypatch.setenv("MTS3_CACHE", str(tmp_path))
    # Reading the others takes time. By this way, as mts3.data.sets.describe is a function as well.
    monkeypatch.setattr("mts3.data.sets.describe.DATASETS", (request.param,))
    monkeypatch.setitem(GENERATED, request.param, found._replace(recipes=few))
    return request.param


def made(generated: Generated, numbers: range, seed: int = 0) -> list[Trajectory]:
    try:
        return generated.make_episodes(generated.recipes["small"], numbers, seed)
    except UserError as error:
        if "mts3[sim]" not in str(error):
            raise
        pytest.skip(str(error))


def content(trajectories: list[Trajectory]) -> list[bytes]:
    return [t.name.encode() + t.obs.tobytes() + t.actions.tobytes() for t in trajectories]


def test_what_is_listed_is_what_is_generated(name):
    recipe = GENERATED[name].recipes["small"]
    made(GENERATED[name], range(1))  # skips this test where there is no simulator
    dataset = load_dataset(name)
    assert dict(describe_known())[name] == describe(dataset)
    assert [len(t) for t in dataset.trajectories] == [recipe.rows] * 3
    assert len(recipe.obs_units) == (dataset.obs_dim if dataset.image_shape is None else 0)
    assert dataset.attribution.startswith("generated: ")
    assert all(np.isfinite(t.obs).all() and np.isfinite(t.actions).all() for t in dataset.trajectories)


def test_an_episode_depends_on_the_seed_and_its_number_alone(name):
    generated = GENERATED[name]
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it stays
    whole = content(made(generated, range(3)))
    assert content(made(generated, range(2, 3))) + content(made(generated, range(0, 2))) == [whole[2], *whole[:2]]
    assert len({*whole, *content(made(generated, range(3), seed=1))}) == 6
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


# The first sets, made by functions of episodes and rows


def test_the_seed_decides_every_byte():
    for generate in (generate_arm_payload, generate_three_scales):
        first, other = (generate(episodes=5, rows=30, seed=seed).trajectories[0] for seed in (3, 4))
        assert not np.array_equal(first.obs, other.obs)


# The hidden payload


def test_the_arm_moves_within_reason_and_the_steps_are_short_enough(arms):
    assert np.abs(arms.true_angle).max() < 2.0
    assert (arms.true_angle.std((0, 1)) > 0.15).all()
    some = 8
    arm = arm_payload.build_arm(arms.payload[:some])
    q, v = arms.true_angle[:some, 0], arms.true_rate[:some, 0]
    for t in range(100):
        q, v = arm.advance(q, v, arms.torque[:some, t], arm_payload.RECIPE.sample_time, 4)
    assert np.abs(q - arms.true_angle[:some, 100]).max() < arm_payload.ANGLE_NOISE / 10


def test_predicting_far_ahead_needs_the_payload(arms):
    def error(payload: np.ndarray) -> float:
        arm, errors = arm_payload.build_arm(payload), []
        q, v = arms.true_angle[:, 60], arms.true_rate[:, 60]
        for t in range(60, 120):
            q, v = arm.advance(q, v, arms.torque[:, t], arm_payload.RECIPE.sample_time, 1)
            errors.append((q - arms.true_angle[:, t + 1]) / arms.true_angle.std((0, 1)))
        return float(np.sqrt(np.mean(np.square(errors))))

    assert error(np.full(80, arm_payload.MAX_PAYLOAD / 2)) > 0.3
    assert error(arms.payload + 0.1) < 0.1


def test_a_regression_that_knows_the_payload_predicts_accelerations_better(arms):
    """Of the shoulder, linear in angle, rate, torque and 1, and the same again times the payload where it is known."""
    state = [arms.true_angle[:, :-1], arms.true_rate[:, :-1], arms.torque[:, :-1]]
    features = np.concatenate([*state, np.ones_like(state[0][..., :1])], -1)
    known = np.concatenate([features, features * arms.payload[:, None, None]], -1)
    target = np.diff(arms.true_rate[..., :2], axis=1) / arm_payload.RECIPE.sample_time

    def error(inputs: np.ndarray) -> float:
        weights = np.linalg.lstsq(inputs[:60].reshape(-1, inputs.shape[-1]), target[:60].reshape(-1, 2))[0]
        return float(np.sqrt(np.mean((inputs[60:] @ weights - target[60:]) ** 2)))

    assert error(known) < 0.8 * error(features)


def test_sixty_steps_tell_the_payload(arms):
    """Simulate the context with a guess, compare with the measured angles, correct the guess: Gauss-Newton."""
    some, steps, change = 20, 60, 0.01

    def angles(payload: np.ndarray) -> np.ndarray:
        arm = arm_payload.build_arm(payload)
        q, v = arms.angle[:some, 0], np.zeros((some, 7))  # episodes start at rest
        made = []
        for t in range(steps - 1):
            q, v = arm.advance(q, v, arms.torque[:some, t], arm_payload.RECIPE.sample_time, 1)
            made.append(q)
        return np.stack(made, 1)

    guess = np.full(some, arm_payload.MAX_PAYLOAD / 2)
    for _ in range(4):
        now = angles(guess)
        slope = (angles(guess + change) - now) / change
        miss = arms.angle[:some, 1:steps] - now
        guess = np.clip(guess + (slope * miss).sum((1, 2)) / (slope**2).sum((1, 2)), 0.0, arm_payload.MAX_PAYLOAD)
    assert np.abs(guess - arms.payload[:some]).max() < 0.05  # kg


# Three scales


def test_every_scale_matters_and_episodes_are_stationary():
    state, obs, actions = three_scales.simulate(400, 300, seed=2)
    system = three_scales.build_system()
    theory = system.stationary()
    both = np.concatenate([state, actions], -1)
    for t in (0, 299):
        np.testing.assert_allclose(both[:, t].T @ both[:, t] / 400, theory, atol=0.25)
    np.testing.assert_allclose(np.diag(theory)[:6].reshape(3, 2).mean(1), 1.0, rtol=1e-9)
    # Shares of a channel's variance: every scale at least 15 %, the measurement noise at most 25 %.
    parts = np.stack(
        [(state[..., 2 * s : 2 * s + 2] @ system.mixing[:, 2 * s : 2 * s + 2].T).var((0, 1)) for s in range(3)]
    )
    assert (parts / obs.var((0, 1)) > 0.15).all()
    assert (system.obs_var / obs.var((0, 1)) < 0.25).all()


def test_the_optimum_is_the_joint_gaussian_conditioned_at_once():
    """Against the textbook's joint distribution of a whole stretch, with gaps; neither uses a filter's recursion."""
    system, steps = three_scales.build_system(), 12
    _, obs, actions = three_scales.simulate(3, 40, seed=3)
    obs, actions = obs[:, 20 : 20 + steps], actions[:, 20 : 20 + steps]
    mask = np.random.default_rng(0).random(obs.shape) < 0.6
    mean, var = optimal_prediction(np.where(mask, obs, np.nan), actions, mask)
    # State and action together, unpushed: the actions are then observations of it like any other.
    transition, noise = system.joint()
    joint = textbook.joint_of_sequence(
        (np.zeros(8), system.stationary()), transition, np.zeros((steps, 8)), noise, steps + 1
    )
    see_obs = np.kron(np.eye(steps + 1), np.hstack([system.mixing, np.zeros((2, 2))]))
    see_actions = np.kron(np.eye(steps + 1), np.hstack([np.zeros((2, 6)), np.eye(2)]))
    for row in range(3):
        for t in (0, 5, steps - 1):
            seen = np.flatnonzero(mask[row, : t + 1])
            matrix = np.vstack([see_obs[seen], see_actions[: 2 * (t + 1)]])
            values = np.concatenate([obs[row, : t + 1].ravel()[seen], actions[row, : t + 1].ravel()])
            value_var = np.concatenate([np.full(len(seen), system.obs_var), np.full(2 * (t + 1), 1e-10)])
            z_mean, z_cov = textbook.condition(joint, matrix, values, np.diag(value_var))
            next_obs = see_obs[2 * (t + 1) : 2 * (t + 2)]
            np.testing.assert_allclose(mean[row, t], next_obs @ z_mean, atol=1e-5)
            np.testing.assert_allclose(var[row, t], np.diag(next_obs @ z_cov @ next_obs.T) + system.obs_var, atol=1e-5)


def test_the_optimum_is_calibrated_and_beats_the_baselines_far_ahead():
    context, steps = 120, 400
    parts = split(generate_three_scales(300, steps + 1, seed=4), 0, (0.4, 0.1, 0.5))
    normalizer = fit_normalizer(parts.train)[0]
    train, test = (SequenceDataset(part, normalizer, steps, steps) for part in (parts.train, parts.test))
    obs, actions = (np.stack([getattr(t, key) for t in parts.test]) for key in ("obs", "actions"))
    seen = np.broadcast_to(np.arange(steps) < context, (len(obs), steps))
    hidden = slice(context - 1, None)  # entry t is about obs[t+1]

    mean, var = optimal_prediction(obs[:, :-1], actions[:, :-1], seen)
    error = np.abs((obs[:, 1:] - mean) / np.sqrt(var))[:, hidden]
    assert np.mean(error < 1.6449) == pytest.approx(0.9, abs=0.02)
    assert np.mean(error < 0.6745) == pytest.approx(0.5, abs=0.03)

    target, push = (torch.stack([item[key] for item in test]).double() for key in ("obs", "actions"))
    linear, persistence = Linear(2, 2).double(), Persistence(2, 2).double()
    fit_linear(linear, train, context)

    def nrmse(prediction: torch.Tensor) -> float:
        return (prediction - target[:, 1:])[:, hidden].square().mean().sqrt().item()

    optimum = nrmse(torch.from_numpy(normalizer.normalize_obs(mean)))
    baselines = [nrmse(model(target[:, :-1], push, torch.tensor(seen)).mean) for model in (linear, persistence)]
    assert optimum < 0.65
    assert min(baselines) > 0.8

    # The context must be long: its last ten steps do not tell the slow scales.
    short, _ = optimal_prediction(obs[:, :-1], actions[:, :-1], seen & (np.arange(steps) >= context - 10))
    early = slice(context - 1, context + 100)
    assert np.mean((obs[:, 1:] - mean)[:, early] ** 2) < 0.9 * np.mean((obs[:, 1:] - short)[:, early] ** 2)
