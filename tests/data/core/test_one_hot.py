"""Choices become one channel each."""

import numpy as np
import pytest

from mts3.data.core.one_hot import one_hot
from mts3.errors import UserError


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.float32, np.float64])
def test_a_choice_has_its_own_channel(dtype):
    rows = one_hot(np.array([1, 3, 2, 1], dtype), 3, start=1)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_choices_keep_their_shape_and_start_at_0_or_below():
    assert one_hot(2, 3).tolist() == [0, 0, 1]
    assert one_hot(np.array([[0, 1], [1, 1]]), 2).tolist() == [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    assert one_hot([-1, 1], 3, start=-1).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert one_hot([False, True], 2).tolist() == [[1, 0], [0, 1]]
    assert one_hot(np.zeros(0, int), 2).shape == (0, 2)


@pytest.mark.parametrize("bad", [3, -1, 0.5, np.nan, np.inf, "left", None, 1j])
def test_what_is_no_choice_is_refused(bad):
    with pytest.raises(UserError, match=r"choice .* is none of the 3 there are; expected 0 to 2"):
        one_hot([0, bad] if not isinstance(bad, str) else [bad], 3)
