import math
from dataclasses import FrozenInstanceError

import pytest

from mts3.errors import UserError
from mts3.train import TrainingOptions
from tests.train.conftest import CONTEXT, WINDOW, Sequences, short_fit


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"schedule": "cosinus"}, "unknown train.schedule 'cosinus': did you mean cosine"),
        ({"learning_rate": 0.0}, "train.learning_rate must be a number above 0, got 0.0"),
        ({"learning_rate": math.inf}, "train.learning_rate must be a number above 0, got inf"),
        ({"learning_rate": math.nan}, "train.learning_rate must be a number above 0, got nan"),
        ({"learning_rate": "fast"}, "train.learning_rate must be a number above 0, got fast"),
        ({"weight_decay": -1.0}, "train.weight_decay must be a number >= 0, got -1.0"),
        ({"step_drop_rate": 1.0}, r"train.step_drop_rate must lie in \[0, 1\), got 1.0"),
        ({"average_decay": 1.0}, r"train.average_decay must lie in \[0, 1\), got 1.0"),
        ({"forecast_rate": 1.5}, r"train.forecast_rate must lie in \[0, 1\], got 1.5"),
        ({"window_drop_rate": 1.5}, r"window drop rate 'end' must lie in \[0, 1\], got 1.5"),
        ({"curriculum_epochs": 0}, "epochs_per_increase must be a number of epochs >= 1, got 0"),
        ({"batch_size": 0}, "train.batch_size must be a number of sequences from 1 to 2147483647, got 0"),
        ({"batch_size": 2.5}, "train.batch_size must be a number of sequences from 1 to 2147483647, got 2.5"),
        ({"num_workers": -1}, "train.num_workers must be a number of processes from 0 to 1024, got -1"),
        ({"patience": 0}, "train.patience must be a number of epochs >= 1 or null, got 0"),
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
    ],
)
def test_values_out_of_range_are_refused_by_name(option: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingOptions(CONTEXT, WINDOW, **option)


def test_the_limits_themselves_are_taken_and_nothing_changes_afterwards() -> None:
    options = TrainingOptions(CONTEXT, WINDOW, weight_decay=0, forecast_rate=1, step_drop_rate=0.0, patience=None)
    with pytest.raises(FrozenInstanceError):
        options.seed = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_an_option_that_does_not_exist_is_named(tmp_path) -> None:
    with pytest.raises(TypeError, match="learning_rat"):
        short_fit(tmp_path, learning_rat=0.1)


def test_the_options_reach_the_batches(tmp_path) -> None:
    assert len(Sequences(10, 0)) == 10
    assert short_fit(tmp_path, epochs=1, batch_size=10)[1].gradient_steps == 1
