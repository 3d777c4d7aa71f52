"""Channels that move little for their size keep what they do, from the file to the prediction."""

import numpy as np
import pytest
import torch

from mts3.data import Dataset, SequenceDataset, Trajectory, fit_normalizer, load_dataset, save_dataset
from mts3.data.core.resolution import as_floats, float32_loses
from mts3.data.quality.check import check_dataset
from mts3.normalizer import Normalizer
from mts3.prediction import Prediction


def northing(rows: int = 400) -> np.ndarray:
    """Metres on a map, a walk of 11 m that no float32 can tell: neighbours near 3.95e6 are 0.25 apart."""
    walk = np.random.default_rng(0).normal(size=rows).cumsum()
    return 3.95e6 + 11 * (walk - walk.min()) / np.ptp(walk)


@pytest.mark.parametrize(
    ("values", "loses"),
    [
        (northing(), True),
        (48.1374 + 1e-5 * np.random.default_rng(1).normal(size=300).cumsum(), True),  # degrees of latitude
        (np.random.default_rng(2).normal(size=300), False),
        (1e4 + np.random.default_rng(3).normal(size=300), False),
        (np.full(300, 20.1), False),
        (np.arange(300) + 3_950_000, False),  # whole numbers that float32 holds
        (np.arange(300) + 2**40, True),
        (np.round(101325 + 300 * np.sin(np.arange(300) / 20), 1), False),
        (np.where(np.arange(300) % 7 == 0, np.nan, northing(300)), True),
    ],
)
def test_float64_stays_where_float32_would_lose_something(values: np.ndarray, loses: bool) -> None:
    array = values[:, None]
    assert float32_loses(array) == loses
    assert as_floats(array, "x").dtype == (np.float64 if loses else np.float32)
    assert as_floats(array.astype(np.float32), "x").dtype == np.float32


def test_an_offset_costs_nothing(tmp_path) -> None:
    north, u = northing(), np.random.default_rng(4).normal(size=(400, 1))
    plain, far = (
        Dataset("d", (Trajectory((north - offset)[:, None], u, "walk"),), ("north",), ("u",), 1.0)
        for offset in (3.95e6, 0.0)
    )
    path = save_dataset(far, tmp_path / "far.npz")
    items = []
    for dataset in (plain, load_dataset(None, path)):
        normalizer, constant = fit_normalizer(dataset.trajectories)
        assert constant == []
        items.append(SequenceDataset(dataset.trajectories, normalizer, 50, 50)[0]["obs"])
        assert items[-1].dtype == torch.float32
    torch.testing.assert_close(*items, atol=1e-4, rtol=0)
    # Back to metres without loss, also through model.json.
    normalizer = Normalizer.from_lists(normalizer.as_lists())
    physical = normalizer.denormalize_obs(items[1]).numpy()[:, 0]
    np.testing.assert_allclose(physical, north[:51], atol=1e-4)
    pred = normalizer.denormalize_prediction(Prediction(items[1][None], torch.ones(1, 51, 1)))
    np.testing.assert_allclose(pred.mean[0, :, 0].numpy(), north[:51], atol=1e-4)
    assert pred.var[0, 0, 0].item() == pytest.approx(north.var(), rel=1e-5)


def test_a_channel_with_many_values_is_never_called_constant() -> None:
    for values in (northing(), northing().astype(np.float32)):
        dataset = Dataset("d", (Trajectory(values[:, None], np.zeros((400, 0)), "walk"),), ("north",), (), 1.0)
        assert fit_normalizer(dataset.trajectories)[1] == []
        kinds = [finding.kind for finding in check_dataset(dataset).findings]
        assert "constant" not in kinds
        assert ("coarse" in kinds) == (values.dtype == np.float32)
