"""Every model learns today as it did when the golden file was written, number for number."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.models.golden.rows import FILE, ROWS, train

STORED = json.loads(FILE.read_text())
RTOL = 1e-4
"""Backends differ by 3e-7 at most; another order of the same sums, on another CPU, by about as much."""


def test_every_row_is_stored() -> None:
    assert list(STORED) == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_short_training_gives_the_stored_losses(name: str, tmp_path: Path) -> None:
    stored, trained = STORED[name], train(tmp_path, **ROWS[name])
    # First what is cheap to understand: the same weights to start from?
    assert stored.keys() == trained.keys()
    assert trained["initial"] == pytest.approx(stored["initial"], rel=RTOL)
    np.testing.assert_allclose(trained["losses"], stored["losses"], rtol=RTOL)
    np.testing.assert_allclose(trained["val_crps"], stored["val_crps"], rtol=RTOL)
    fitted = trained.get("fitted", {})
    assert fitted.keys() == stored.get("fitted", {}).keys()
    for buffer, values in fitted.items():
        np.testing.assert_allclose(values, stored["fitted"][buffer], rtol=1e-3, atol=1e-6, err_msg=buffer)
