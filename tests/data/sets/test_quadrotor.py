"""The quadrotor's mechanics, its controller, and the bytes of its episodes."""

from dataclasses import replace

import numpy as np
import pytest

from mts3.data.sets.generators import quadrotor
from mts3.data.sets.generators.quadrotor_body import (
    GRAVITY,
    INERTIA,
    MOST_THRUST,
    MOTOR_LAG,
    Aircraft,
    State,
    axes_of,
    cross,
    product,
    thrusts_for,
    torque_of,
    unit,
)

RECIPE = replace(quadrotor.RECIPES["small"], rows=60)
CALM = np.zeros((3, 20))
NO_DRAG = (0.0, 0.0)


@pytest.fixture(scope="module")
def flights() -> quadrotor.Episodes:
    return quadrotor.simulate(range(40), 401, seed=1)


@pytest.fixture
def tumbling(rng: np.random.Generator) -> State:
    """Twenty aircraft, turned and turning any way, with their rotors still."""
    position, velocity, rate = rng.normal(size=(3, 3, 20))
    return State(position, velocity, unit(rng.normal(size=(4, 20))), 3.0 * rate, np.zeros((4, 20)))


# Bytes


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    seventh = quadrotor.make_episodes(RECIPE, range(10), 3)[7]
    assert seventh.name == "episode_007"
    longer = quadrotor.make_episodes(replace(RECIPE, rows=70), range(6, 9), 3)[1]
    np.testing.assert_array_equal(longer.obs[:60], seventh.obs)
    for other in (quadrotor.make_episodes(RECIPE, range(8, 9), 3), quadrotor.make_episodes(RECIPE, range(7, 8), 4)):
        assert not np.array_equal(other[0].obs, seventh.obs)


def test_what_is_listed_is_what_is_made():
    dataset = RECIPE.collect(quadrotor.make_episodes(RECIPE, range(3), 0))
    assert (dataset.obs_dim, dataset.action_dim, [len(t) for t in dataset.trajectories]) == (12, 4, [60] * 3)
    assert all(t.obs.dtype == t.actions.dtype == np.float32 for t in dataset.trajectories)


# Body


def test_rotors_that_carry_the_weight_hover_and_others_do_not():
    mass = np.linspace(0.8, 1.3, 20)
    level = np.zeros((4, 20))
    level[0] = 1.0
    hover = np.tile(mass * GRAVITY / 4, (4, 1))
    start = State(CALM, CALM, level, CALM, hover)
    still = Aircraft(mass).advance(start, hover, CALM, 2.0, 100)
    for key in ("position", "velocity", "rate"):
        np.testing.assert_allclose(getattr(still, key), 0.0, atol=1e-12)
    # 1 % more is 1 % of gravity, upwards.
    more = Aircraft(mass, NO_DRAG).advance(replace(start, thrust=1.01 * hover), 1.01 * hover, CALM, 1.0, 50)
    np.testing.assert_allclose(more.velocity[2], 0.01 * GRAVITY, rtol=1e-9)


def test_without_thrust_and_drag_it_falls_freely_and_keeps_its_energy(tumbling):
    aircraft = Aircraft(np.linspace(0.8, 1.3, 20), NO_DRAG)
    seconds = 1.5
    later = aircraft.advance(tumbling, np.zeros((4, 20)), CALM, seconds, 75)
    down = np.array([[0.0], [0.0], [GRAVITY]])
    fallen = tumbling.position + seconds * tumbling.velocity - seconds**2 / 2 * down
    np.testing.assert_allclose(later.position, fallen, atol=1e-9)

    def spin(state: State) -> tuple[np.ndarray, np.ndarray]:
        momentum = (axes_of(state.attitude) * (INERTIA * state.rate)[:, None]).sum(0)
        return (INERTIA * state.rate**2).sum(0), momentum

    assert np.abs(later.rate - tumbling.rate).max() > 0.5  # the axis it turns about wanders
    for before, after in zip(spin(tumbling), spin(later), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-6)
    assert (np.linalg.norm(Aircraft(aircraft.mass).advance(tumbling, np.zeros((4, 20)), CALM, 1.5, 75).velocity, axis=0)
            < np.linalg.norm(later.velocity, axis=0)).all()  # fmt: skip


def test_attitude_stays_a_rotation_and_turns_at_its_rate(tumbling):
    later = Aircraft(np.ones(20)).advance(tumbling, np.full((4, 20), 2.0), CALM, 20.0, 1000)
    axes = axes_of(later.attitude)
    np.testing.assert_allclose(np.einsum("aie,bie->eab", axes, axes), np.tile(np.eye(3), (20, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(cross(axes[0], axes[1]), axes[2], atol=1e-12)
    change = Aircraft(np.ones(20)).change(tumbling, tumbling.thrust, CALM)
    moved = axes_of(tumbling.moved(change, 1e-7).attitude)
    now = axes_of(tumbling.attitude)
    turning = (now * tumbling.rate[:, None]).sum(0)  # in the world's frame
    for axis, after in zip(now, moved, strict=True):
        np.testing.assert_allclose((after - axis) / 1e-7, cross(turning, axis), atol=1e-5)


def test_quaternions_multiply_like_rotations(rng):
    one, two = unit(rng.normal(size=(4, 20))), unit(rng.normal(size=(4, 20)))
    expected = np.einsum("kie,jke->jie", axes_of(one), axes_of(two))  # columns of R1 R2
    np.testing.assert_allclose(axes_of(product(one, two)), expected, atol=1e-12)


def test_rotors_lag_and_are_mixed_back(rng):
    total, torque = rng.uniform(8.0, 12.0, 20), rng.uniform(-0.02, 0.02, (3, 20))
    thrust = thrusts_for(total, torque)
    np.testing.assert_allclose(thrust.sum(0), total)
    np.testing.assert_allclose(torque_of(thrust), torque, atol=1e-12)
    assert thrusts_for(np.array([100.0, -5.0]), np.zeros((3, 2))).tolist() == [[MOST_THRUST, 0.0]] * 4
    level = np.tile([[1.0], [0.0], [0.0], [0.0]], 20)
    later = Aircraft(np.ones(20)).advance(State(CALM, CALM, level, CALM, np.zeros((4, 20))), thrust, CALM, MOTOR_LAG, 5)
    np.testing.assert_allclose(later.thrust, (1 - np.exp(-1)) * thrust, rtol=1e-4)
    # More thrust on the left lifts the left side: it turns to the right about the front.
    left = np.array([[1.0], [1.0], [0.0], [0.0]])
    assert (torque_of(left)[:, 0] > [0.0, -1e-12, -1e-12]).all()


def test_wind_pushes_and_drag_ends_at_the_speed_of_the_wind():
    wind = np.tile([[3.0], [-2.0], [0.0]], 20)
    level = np.tile([[1.0], [0.0], [0.0], [0.0]], 20)
    hover = np.full((4, 20), GRAVITY / 4)
    later = Aircraft(np.ones(20)).advance(State(CALM, CALM, level, CALM, hover), hover, wind, 40.0, 1000)
    np.testing.assert_allclose(later.velocity, wind, atol=1e-3)


# Flights


def test_flights_follow_their_set_points_and_never_crash(flights):
    miss = flights.true_obs[..., :3] - flights.set_point
    assert np.abs(miss).max() < 0.8
    assert flights.true_obs[..., 2].min() > 2.0
    assert flights.true_obs[..., 11].min() > 0.5  # tilted by less than 60 degrees
    assert (flights.command >= 0.0).all()
    assert (flights.command <= MOST_THRUST).all()
    assert (flights.command > 0.99 * MOST_THRUST).mean() < 0.01
    assert (flights.true_obs.std((0, 1))[:6] > 0.3).all()
    # The controller does not know the mass: what is heavy hangs low.
    assert np.corrcoef(flights.mass, miss[..., 2].mean(1))[0, 1] < -0.95


def test_what_the_sensors_read_is_an_attitude_near_the_true_one(flights):
    front, up = flights.obs[..., 6:9], flights.obs[..., 9:]
    np.testing.assert_allclose((front**2).sum(-1), 1.0, atol=1e-12)
    np.testing.assert_allclose((up**2).sum(-1), 1.0, atol=1e-12)
    np.testing.assert_allclose((front * up).sum(-1), 0.0, atol=1e-12)
    noise = (flights.obs - flights.true_obs).std((0, 1))
    np.testing.assert_allclose(noise[:6], [0.005] * 3 + [0.02] * 3, rtol=0.05)
    assert (noise[6:] < 0.004).all()


def test_the_wind_wanders_as_it_should(flights):
    wind = flights.wind
    std = quadrotor.WIND_STD[:, 0]
    np.testing.assert_allclose(wind[:, 0].std(0), std, rtol=0.35)
    np.testing.assert_allclose(wind.std((0, 1)), std, rtol=0.15)
    shocks = wind[:, 1:] - np.exp(-quadrotor.SAMPLE_TIME / quadrotor.WIND_MEMORY) * wind[:, :-1]
    np.testing.assert_allclose(shocks.std((0, 1)), std * np.sqrt(1 - np.exp(-0.02)), rtol=0.03)


def test_short_enough_steps_and_a_hidden_mass_that_matters():
    flights, rows = quadrotor.simulate(range(30), 201, seed=2, wind_std=np.zeros((3, 1))), 200
    spread = flights.true_obs.std((0, 1))

    def error(mass: np.ndarray, steps: int) -> np.ndarray:
        front, up = flights.true_obs[:, 0, 6:9].T, flights.true_obs[:, 0, 9:].T
        yaw = np.arctan2(front[1], front[0])
        attitude = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)])  # episodes begin level
        np.testing.assert_allclose(up, np.tile([[0.0], [0.0], [1.0]], 30), atol=1e-12)
        place, velocity = flights.true_obs[:, 0, :3].T, flights.true_obs[:, 0, 3:6].T
        hover = np.tile(flights.mass * GRAVITY / 4, (4, 1))
        state, made = State(place, velocity, attitude, 0 * place, hover), []
        for t in range(rows):
            state = Aircraft(mass).advance(state, flights.command[:, t].T, 0 * place, quadrotor.SAMPLE_TIME, steps)
            made.append(np.concatenate([state.position, state.velocity]).T)
        return np.abs(np.stack(made, 1) - flights.true_obs[:, 1:, :6]) / spread[:6]

    assert error(flights.mass, quadrotor.SUBSTEPS).max() < 1e-9
    assert error(flights.mass, 8).max() < 1e-3
    wrong = error(np.full(30, np.mean(quadrotor.MASS)), quadrotor.SUBSTEPS)
    assert np.sqrt(np.mean(wrong[..., 2] ** 2)) > 1.0
