"""The excavator's mechanics, its operator, and the bytes of its episodes."""

from dataclasses import replace

import numpy as np
import pytest

from mts3.data.sets.generators import excavator
from mts3.data.sets.generators import excavator_machine as machine
from mts3.data.sets.generators.excavator_machine import (
    BOOM,
    BUCKET,
    CAPACITY,
    DEAD_BAND,
    PUMP_FLOW,
    STICK,
    SWING,
    VOLUME,
    advance,
    arm_at,
    at_rest,
    flow,
)

RECIPE = replace(excavator.RECIPES["small"], rows=60)
RAISED = np.array([[0.0], [0.7], [-1.4], [-1.0]])  # the tip is 2 m above the ground
SOFT = np.array([0.7])


@pytest.fixture(scope="module")
def work() -> excavator.Episodes:
    return excavator.simulate(range(12), 1001, seed=1)


@pytest.fixture
def poses(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Angles and rates (4, 30), anywhere an arm can be."""
    low, high = (np.clip(limit, -3.0, 3.0) for limit in (machine.LOW, machine.HIGH))
    return rng.uniform(low, high, (4, 30)), rng.uniform(-1, 1, (4, 30))


def _levers(**positions: float) -> np.ndarray:
    return np.array([[positions.get(joint, 0.0)] for joint in excavator.JOINTS])


# Bytes


def test_an_episode_depends_on_its_number_and_the_seed_alone():
    seventh = excavator.make_episodes(RECIPE, range(10), 3)[7]
    assert seventh.name == "episode_007"
    longer = excavator.make_episodes(replace(RECIPE, rows=70), range(6, 9), 3)[1]
    np.testing.assert_array_equal(longer.obs[:60], seventh.obs)
    for other in (excavator.make_episodes(RECIPE, range(8, 9), 3), excavator.make_episodes(RECIPE, range(7, 8), 4)):
        assert not np.array_equal(other[0].obs, seventh.obs)


def test_what_is_listed_is_what_is_made():
    dataset = RECIPE.collect(excavator.make_episodes(RECIPE, range(3), 0))
    assert (dataset.obs_dim, dataset.action_dim, [len(t) for t in dataset.trajectories]) == (4, 4, [60] * 3)
    assert all(t.obs.dtype == t.actions.dtype == np.float32 for t in dataset.trajectories)


# Valves and pump


def test_within_the_dead_band_nothing_moves_but_the_sag():
    state = at_rest(RAISED)
    left = advance(state, _levers(), SOFT, 5.0, 250)
    for lever in (DEAD_BAND, -DEAD_BAND):
        held = advance(state, np.full((4, 1), lever), SOFT, 5.0, 250)
        np.testing.assert_array_equal(held.angle, left.angle)
    assert left.angle[SWING] == 0.0
    sag = (state.angle - left.angle)[BOOM, 0]
    assert 0.005 < sag < 5.0 * machine.LEAK[BOOM, 0]
    moved = advance(state, np.full((4, 1), DEAD_BAND + 0.1), SOFT, 5.0, 250)
    assert (np.abs(moved.angle - left.angle) > 0.05).all()


def test_a_spool_lags_behind_its_lever():
    state = advance(at_rest(RAISED), _levers(swing=1.0), SOFT, machine.SPOOL_LAG, 100)
    assert state.spool[SWING, 0] == pytest.approx(1 - np.exp(-1), abs=5e-3)


def test_the_pump_gives_what_is_asked_for_and_no_more_than_it_has(rng):
    opening, load = rng.uniform(-1, 1, (4, 500)), rng.uniform(-0.9, 1.3, (4, 500))
    oil = flow(opening, load)
    against = np.maximum(np.sign(opening) * load, machine.BRAKE)
    left = np.maximum(1.0 - against, 0.0)
    asked = np.abs(opening) * machine.SIZE * left / np.sqrt(left + machine.LAMINAR)
    enough = asked.sum(0) <= PUMP_FLOW
    assert 50 < enough.sum() < 450
    np.testing.assert_allclose(np.abs(oil)[:, enough], asked[:, enough], rtol=1e-12)
    np.testing.assert_allclose(np.abs(oil)[:, ~enough].sum(0), PUMP_FLOW, rtol=2e-3)
    assert (oil * opening >= 0.0).all()
    assert (oil[against >= 1.0] == 0.0).all()  # stalled


def test_joints_that_share_the_pump_are_slower_and_the_heavy_ones_most():
    def rate(**levers: float) -> np.ndarray:
        return advance(at_rest(RAISED), _levers(**levers), SOFT, 1.0, 100).rate[:, 0]

    together = rate(swing=1.0, boom=1.0, stick=1.0, bucket=1.0)
    alone = [rate(**{joint: 1.0})[i] for i, joint in enumerate(excavator.JOINTS)]
    assert (together < 0.97 * np.array(alone)).all()
    # The boom carries everything, the swing nothing.
    assert together[BOOM] / alone[BOOM] < 0.75 * together[SWING] / alone[SWING]
    opening, load = np.ones((4, 1)), np.array([[0.0], [0.6], [0.2], [0.1]])
    np.testing.assert_allclose(flow(opening, load).sum(), PUMP_FLOW, rtol=1e-3)


def test_a_full_bucket_slows_the_boom_and_the_swing():
    empty = at_rest(RAISED + np.array([[0.0], [0.0], [0.0], [-1.2]]))  # the bucket curled: it keeps what it has
    full = replace(empty, fill=np.array([CAPACITY]), dug=np.array([CAPACITY]))
    lever = _levers(swing=1.0, boom=1.0)
    slow, quick = (advance(state, lever, SOFT, 1.0, 100) for state in (full, empty))
    assert (slow.rate[[SWING, BOOM]] < 0.93 * quick.rate[[SWING, BOOM]]).all()


def test_joints_stop_at_their_ends():
    state = advance(at_rest(RAISED), _levers(boom=1.0, stick=1.0, bucket=-1.0), SOFT, 10.0, 500)
    np.testing.assert_array_equal(state.angle[1:3], machine.HIGH[1:3])
    np.testing.assert_array_equal(state.angle[BUCKET], machine.LOW[BUCKET])
    np.testing.assert_array_equal(state.rate[1:], 0.0)


# Arm and soil


def test_weight_is_the_gradient_of_the_potential_energy(poses):
    angle, _ = poses
    fill = np.linspace(0.0, CAPACITY, angle.shape[1])

    def energy(angle: np.ndarray) -> np.ndarray:
        height = arm_at(angle).height
        mass = np.stack([np.full_like(fill, m) for m in machine.MASS])
        mass[2] += machine.SOIL_DENSITY * fill
        return machine.GRAVITY * (mass * (height[:-1] + height[1:]) / 2).sum(0)

    step = 1e-6 * np.eye(4)[:, :, None]
    gradient = np.stack([(energy(angle + e) - energy(angle - e)) / 2e-6 for e in step])
    np.testing.assert_allclose(machine._weight(arm_at(angle), fill), gradient, atol=1e-6)


def test_the_soil_resists_the_motion_of_the_tip_and_only_in_the_ground(poses):
    angle, rate = poses
    arm = arm_at(angle)
    out, up = machine._tip_speed(arm, rate)
    later = arm_at(angle + 1e-7 * rate)
    np.testing.assert_allclose(out, (later.reach[3] - arm.reach[3]) / 1e-7, atol=1e-5)
    np.testing.assert_allclose(up, (later.height[3] - arm.height[3]) / 1e-7, atol=1e-5)
    depth = np.maximum(-arm.height[3], 0.0)
    assert 5 < (depth > 0).sum() < 25
    power = (machine._soil(arm, (out, up), depth, np.zeros(30), np.ones(30)) * rate).sum(0)
    assert (power[depth > 0] > 0.0).all()
    assert (power[depth == 0] == 0.0).all()


def test_the_bucket_fills_in_the_ground_alone_and_empties_above_it():
    dig = np.array([[0.0], [0.15], [-1.0], [-0.6]])
    state = at_rest(dig)
    assert arm_at(dig).height[3, 0] < -0.2
    pull = _levers(stick=-1.0, bucket=-0.6)
    in_the_air = advance(at_rest(RAISED), pull, SOFT, 1.5, 150)
    assert arm_at(in_the_air.angle).height[3, 0] > 0
    assert (in_the_air.fill, in_the_air.dug, in_the_air.dumped) == (0.0, 0.0, 0.0)
    scraping = at_rest(dig + np.array([[0.0], [0.17], [0.0], [0.0]]))
    passed = advance(scraping, pull, SOFT, 0.4, 40)
    heights = [arm_at(at.angle).height[3, 0] for at in (scraping, passed)]
    assert 0.0 < min(heights) < max(heights) < 0.8
    assert (passed.fill, passed.dug) == (0.0, 0.0)
    dug = advance(state, pull, SOFT, 3.0, 300)
    assert dug.dumped == 0.0  # open, but in the ground
    hard = advance(state, pull, 2 * SOFT, 3.0, 300)
    assert CAPACITY / 2 < dug.fill[0] < CAPACITY
    assert np.abs(dug.angle - state.angle)[STICK] > 1.1 * np.abs(hard.angle - state.angle)[STICK]
    # Lifted with the bucket curled nothing is lost; opened high up it empties.
    curled = advance(dug, _levers(boom=1.0, bucket=-1.0), SOFT, 3.0, 300)
    assert arm_at(curled.angle).height[3, 0] > 0
    carried = advance(curled, _levers(swing=1.0, boom=0.5), SOFT, 3.0, 300)
    assert carried.fill == curled.fill
    emptied = advance(carried, _levers(bucket=1.0), SOFT, 5.0, 250)
    assert emptied.fill < 0.02
    for at in (dug, curled, carried, emptied):
        np.testing.assert_allclose(at.fill, at.dug - at.dumped, atol=1e-12)
    assert emptied.dug == carried.dug > 0.5


# Work


def test_operators_dig_and_dump_and_every_joint_moves(work):
    assert (work.true_angle.std(1) > 0.05).all()
    assert (work.true_angle.std((0, 1)) > [0.5, 0.15, 0.2, 0.5]).all()
    assert (np.abs(work.lever) <= 1.0).all()
    idle = (np.abs(work.lever) < DEAD_BAND).mean((0, 1))
    assert ((idle > 0.05) & (idle < 0.7)).all()
    full, empty = work.fill > 0.6, work.fill < 0.1
    cycles = (full.any(1) & empty.any(1)).sum()
    assert cycles >= 11
    demand = np.abs(np.diff(work.true_angle, axis=1) / excavator.SAMPLE_TIME) @ VOLUME[:, 0]
    assert (demand > 0.9 * PUMP_FLOW).mean() > 0.03  # the pump is short at times


def test_the_levers_replay_the_angles_in_short_enough_steps_and_with_the_right_soil(work):
    def error(hardness: np.ndarray, steps: int, rows: int) -> np.ndarray:
        state, made = at_rest(work.true_angle[:, 0].T), []
        for t in range(rows):
            made.append(state.angle.T)
            state = advance(state, work.lever[:, t].T, hardness, excavator.SAMPLE_TIME, steps)
        return np.stack(made, 1) - work.true_angle[:, :rows]

    assert (error(work.hardness, excavator.SUBSTEPS, 100) == 0.0).all()
    assert 0.0 < np.abs(error(work.hardness, 20, 100)).max() < 0.01
    stick = error(np.full(12, 0.5), excavator.SUBSTEPS, 600)[:, 300:, STICK] / work.true_angle[..., STICK].std()
    assert np.sqrt(np.mean(stick**2)) > 0.15
