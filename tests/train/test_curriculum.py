import pytest

from mts3.errors import UserError
from mts3.train import WindowDropCurriculum


def test_the_rate_grows_by_a_tenth_from_a_twentieth_to_three_quarters() -> None:
    curriculum = WindowDropCurriculum(epochs_per_increase=2)
    rates = [curriculum.rate(epoch) for epoch in range(0, 20, 2)]
    assert rates == pytest.approx([0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.75, 0.75])
    assert curriculum.rate(3) == curriculum.rate(2)


@pytest.mark.parametrize(("argument", "value"), [("epochs_per_increase", 0), ("start", -0.1), ("end", 1.5)])
def test_values_out_of_range_are_refused_by_name(argument: str, value: float) -> None:
    with pytest.raises(UserError, match=argument):
        WindowDropCurriculum(**{argument: value})
