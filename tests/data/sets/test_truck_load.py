"""A hidden load: the same bytes every time, physics that holds, and a set in which knowing the load is what counts."""

import numpy as np
import pytest

from mts3.data import describe, describe_known, load_dataset
from mts3.data.sets.generators import truck_load

CONTEXT = 40
RECIPE = truck_load.RECIPES["small"]


@pytest.fixture(scope="module")
def trucks() -> truck_load.Episodes:
    return truck_load.simulate(range(100), RECIPE.rows, seed=1)


def test_what_is_listed_is_what_is_generated():
    dataset = load_dataset("truck_load")
    assert dict(describe_known())["truck_load"] == describe(dataset)
    assert {len(t) for t in dataset.trajectories} == {RECIPE.rows}


def test_an_episode_depends_on_the_seed_and_its_number_alone():
    alone, among, other = (
        truck_load.make_episodes(RECIPE, numbers, seed)[at]
        for numbers, at, seed in ((range(2, 3), 0, 1), (range(9), 2, 1), (range(3), 2, 2))
    )
    assert np.array_equal(alone.obs, among.obs)
    assert np.array_equal(alone.actions, among.actions)
    assert not np.array_equal(alone.obs, other.obs)


def test_a_truck_left_alone_rolls_to_a_stop_and_stays_there():
    mass, rolling = np.array([8e3, 40e3]), np.array([0.004, 0.012])
    speed = np.full(2, 5.0)
    after = truck_load.advance(speed, np.zeros(2), mass, rolling)
    assert (after < speed).all()
    for _ in range(300):
        after = truck_load.advance(after, np.zeros(2), mass, rolling)
    assert np.array_equal(after, np.zeros(2))


def test_force_beyond_resistance_accelerates_by_newtons_law():
    mass, rolling, speed = np.array([10e3]), np.array([0.006]), np.array([10.0])
    excess = truck_load.DRAG * speed**2 + rolling * mass * truck_load.GRAVITY + 5e3
    gained = truck_load.advance(speed, excess, mass, rolling) - speed
    assert gained == pytest.approx(5e3 / 10e3, rel=0.02)  # the drag grows a little on the way


def test_the_driver_stays_within_motor_and_brake_and_never_reverses(trucks):
    assert (trucks.force >= -truck_load.BRAKE).all()
    assert (trucks.force <= truck_load.PULL).all()
    power = trucks.force * np.maximum(trucks.speed, 1.0)
    assert power.max() <= truck_load.POWER * (1 + 1e-9)
    assert trucks.speed.min() > -6 * truck_load.SPEED_NOISE


def test_the_context_tells_the_load_and_the_load_the_rest(trucks):
    """Least squares for 1/m and r in the first rows, then the equation alone; with the mean load it misses."""
    found = _least_squares(trucks.speed[:, :CONTEXT], trucks.force[:, :CONTEXT])
    assert np.median(np.abs(found[0] / trucks.mass - 1)) < 0.02
    mean = (
        np.full(100, np.sqrt(np.prod(truck_load.MASS))),
        np.full(100, np.mean(truck_load.ROLLING)),
    )
    assert _error(trucks, *found) < 0.03
    assert _error(trucks, *mean) > 0.5


def _least_squares(speed: np.ndarray, force: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mass and rolling resistance (E,): v' is linear in 1/m and r g."""
    change = (speed[:, 2:] - speed[:, :-2]) / 2
    net = force - truck_load.DRAG * speed**2
    net = (net[:, :-2] + net[:, 1:-1]) / 2
    fits = [np.linalg.lstsq(np.stack((n, -np.ones_like(n)), 1), c)[0] for n, c in zip(net, change, strict=True)]
    inverse, deceleration = np.array(fits).T
    return 1 / inverse, deceleration / truck_load.GRAVITY


def _error(trucks: truck_load.Episodes, mass: np.ndarray, rolling: np.ndarray) -> float:
    """Normalized RMSE of the rows after the context, from the last speed seen."""
    v, missed = trucks.speed[:, CONTEXT - 1], []
    for t in range(CONTEXT, RECIPE.rows):
        v = truck_load.advance(v, trucks.force[:, t - 1], mass, rolling)
        missed.append(v - trucks.speed[:, t])
    return float(np.sqrt(np.mean(np.square(missed))) / trucks.speed.std())
