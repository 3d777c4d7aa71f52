"""Actions that stand one row late are found; those of controllers and of sound recordings are not."""

import numpy as np
import pytest

from mts3.data import load_dataset
from mts3.data.quality.action_flaws import rows_late
from mts3.data.quality.check import check_dataset
from mts3.data.readers import check_file
from mts3.data.rows.raw import RawTrajectory
from mts3.data.sets.generators import GENERATED


def oscillator(rows: int = 300, noise: float = 0.01, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Observations (T, 2) and actions (T, 1) that are held for ten rows."""
    rng = np.random.default_rng(seed)
    u = np.repeat(rng.normal(size=rows // 10 + 1), 10)[:rows]
    x = np.zeros((rows, 2))
    for t in range(rows - 1):
        x[t + 1] = [x[t, 0] + 0.1 * x[t, 1], 0.95 * x[t, 1] - 0.1 * x[t, 0] + 0.2 * u[t]]
    return x + noise * rng.normal(size=x.shape), u[:, None]


def late(actions: np.ndarray, rows: int) -> np.ndarray:
    return np.concatenate([np.repeat(actions[:1], rows, axis=0), actions[: len(actions) - rows]]) if rows else actions


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_the_shift_is_found(shift: int, seed: int) -> None:
    obs, actions = oscillator(seed=seed)
    found = rows_late([RawTrajectory("run", obs, late(actions, shift))])
    assert (found[0] if found else 0) == shift


def test_check_names_the_shift_and_reading_with_it_finds_nothing(tmp_path) -> None:
    obs, actions = oscillator()
    rows = np.concatenate([0.1 * np.arange(300)[:, None], obs, late(actions, 1)], axis=1)
    path = tmp_path / "log.csv"
    np.savetxt(path, rows, fmt="%.9g", delimiter=",", header="t,x,v,u", comments="")
    mapping = {"obs": ["x", "v"], "actions": "u", "time": "t"}
    (finding,) = [f for f in check_file(path, mapping).findings if f.kind == "action_late"]
    assert finding.words.endswith("than by its own: action_shift=1")
    assert not [f for f in check_file(path, mapping | {"action_shift": 1}).findings if f.kind == "action_late"]
    np.testing.assert_allclose(
        load_dataset(None, path, mapping | {"action_shift": 1}).trajectories[0].actions[:-1], actions[:-1], rtol=1e-6
    )


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_controller_that_acts_on_its_own_row_is_sound(noise: float) -> None:
    rng = np.random.default_rng(0)
    x, xs, us = np.array([1.0, 0.0]), [], []
    for _ in range(600):
        u = -1.5 * x[0] - 0.8 * x[1] + noise * rng.normal()
        xs.append(x)
        us.append([u])
        x = np.array([x[0] + 0.1 * x[1], 0.95 * x[1] - 0.1 * x[0] + 0.2 * u]) + 0.05 * rng.normal(size=2)
    obs, actions = np.array(xs), np.array(us)
    assert rows_late([RawTrajectory("run", obs, actions)]) is None
    assert rows_late([RawTrajectory("run", obs, late(actions, 1))]) is not None or noise == 0.0


def test_waves_that_nothing_follows_from_tell_nothing() -> None:
    time = np.arange(600)
    for phase in range(6):
        obs = np.stack([np.sin(time / 9 + phase), np.cos(time / 14)], axis=1)
        actions = np.stack([np.sin(time / 9 + 0.3 * phase), np.sin(time / 23)], axis=1)
        assert rows_late([RawTrajectory("run", obs, actions)]) is None


def test_too_few_rows_or_nothing_known_tell_nothing() -> None:
    obs, actions = oscillator(40)
    assert rows_late([RawTrajectory("run", obs, late(actions, 1))]) is None
    obs, actions = oscillator()
    assert rows_late([RawTrajectory("run", obs, np.full_like(actions, np.nan))]) is None
    assert rows_late([RawTrajectory("run", obs, np.zeros((300, 0)))]) is None


@pytest.mark.parametrize("name", ["soil", "tiago", "plaza1"])
def test_shipped_recordings_stand_where_they_belong(name: str) -> None:
    assert "action_late" not in [finding.kind for finding in check_dataset(load_dataset(name)).findings]


@pytest.mark.parametrize("name", ["truck_load", "maze2d"])
def test_generated_recordings(name: str) -> None:
    generated = GENERATED[name]
    recipe = next(iter(generated.recipes.values()))
    made = generated.make_episodes(recipe, range(4), 0)
    for shift in (0, 1):
        found = rows_late([RawTrajectory(t.name, t.obs, late(t.actions, shift)) for t in made])
        assert (found[0] if found else 0) == shift


@pytest.mark.parametrize("channel", [np.zeros(300), 1e6 + np.arange(300.0), np.sin(0.3 * np.arange(300))])
def test_a_channel_that_needs_no_action_to_be_explained_tells_nothing(channel: np.ndarray) -> None:
    moving, actions = oscillator()
    assert rows_late([RawTrajectory("run", channel[:, None].astype(np.float32), actions)]) is None
    for shift in (0, 1):
        found = rows_late([RawTrajectory("run", np.column_stack([channel, moving]), late(actions, shift))])
        assert (found[0] if found else 0) == shift
