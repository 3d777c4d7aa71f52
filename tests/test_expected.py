"""A record is compared with a table of what it must hold: the first value that is none is named."""

import math

import pytest

from mts3.expected import NUMBER, NUMBERS, TEXT, Each, Optional, check

TABLE = {"name": TEXT, "score": NUMBER, "curve": {"level": NUMBERS}, "more": Optional({"cost": Optional(NUMBER)})}
TABLE["rows"] = Optional(Each({"a": NUMBER}))
WHOLE = {"name": "a", "score": 1, "curve": {"level": [0.5, 1]}, "other": object()}


@pytest.mark.parametrize(
    "change", [{}, {"more": None}, {"more": {}}, {"more": {"cost": 2.0}}, {"more": {"cost": None}}, {"rows": []}]
)
def test_a_whole_record_passes(change):
    check(WHOLE | change, TABLE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": None}, "name is missing or no text"),
        ({"score": True}, "score is missing or no number"),
        ({"score": math.nan}, "score is missing or no number"),
        ({"curve": []}, "curve is missing or no object"),
        ({"curve": {"level": []}}, "curve.level is missing or no list of numbers"),
        ({"curve": {"level": [0.5, "1"]}}, "curve.level is missing or no list of numbers"),
        ({"rows": {}}, "rows is missing or no list"),
        ({"rows": [{"a": 1}, {"b": 1}]}, r"rows\[1\].a is missing or no number"),
        ({"more": 3}, "more is missing or no object"),
        ({"more": {"cost": "much"}}, "more.cost is missing or no number"),
    ],
)
def test_what_is_of_another_kind_is_named(change, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        check(WHOLE | change, TABLE)


def test_a_record_that_is_none():
    with pytest.raises(ValueError, match=r"^it is missing or no object$"):
        check([], TABLE)
