"""Actions that stand in other rows than the one they act from."""

import numpy as np
import pytest

from mts3.data import Dataset, Trajectory
from mts3.data.core.matching import align, aligned
from mts3.errors import UserError


@pytest.mark.parametrize("shift", range(-3, 4))
@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_every_row_kept_has_the_action_that_acts_from_it(shift: int, surplus: int) -> None:
    obs = np.arange(8.0)[:, None]
    # Each action holds the number of the row it acts from, whatever row it stands in.
    actions = np.arange(8.0 + surplus)[:, None] - shift
    rows, moved, reward = aligned(obs, actions, np.arange(8.0), shift, "run")
    assert reward is not None
    np.testing.assert_array_equal(rows[:, 0], reward)
    steps = len(rows) - 1
    if shift:
        np.testing.assert_array_equal(moved[:steps, 0], rows[:-1, 0])
        # No row is lost that has its action.
        assert steps == len(set(actions[:, 0]) & set(range(7)))
        dataset = Dataset("d", (Trajectory(rows, moved, "run"),), ("x",), ("u",), 1.0)
        assert len(dataset.trajectories[0]) == len(rows)
    else:
        assert moved is actions


def test_a_data_set_is_moved_and_a_shift_beyond_it_is_refused(dataset: Dataset) -> None:
    moved = align(dataset, 1)
    for before, after in zip(dataset.trajectories, moved.trajectories, strict=True):
        np.testing.assert_array_equal(after.obs, before.obs)
        np.testing.assert_array_equal(after.actions[:-1], before.actions[1:])
    assert align(dataset, 0) is dataset
    with pytest.raises(UserError, match="action_shift=60 leaves nothing of trajectory 't0', which has 40 rows"):
        align(dataset, 60)
