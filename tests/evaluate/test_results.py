"""The three files: complete, readable without pickles, and never half there."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mts3.data import SequenceDataset
from mts3.errors import UserError
from mts3.evaluate import evaluate, write_results
from tests.evaluate.conftest import CONTEXT, STEPS, LastValue, MaskReader, dataset_of

PROMISED_KEYS = {
    *("data", "model", "seed", "split", "horizon", "context", "rmse", "nrmse", "nll", "crps", "coverage_50"),
    *("coverage_90", "coverage_95", "per_dim", "train_seconds", "gradient_steps", "parameters", "device", "version"),
    *("persistence_nrmse", "linear_nrmse", "one_step", "imputation", "sequences", "values", "reliability"),
    *("scored_steps", "configured_horizon", "sequences_at_end", "coverage_90_thirds", "break_even_horizon"),
}


@pytest.fixture(scope="module")
def evaluation(sequences, train_sequences):
    return evaluate(LastValue(), sequences, train_sequences, CONTEXT, metric_window=4)


@pytest.fixture(scope="module")
def dataset(test_trajectories):
    return dataset_of(test_trajectories)


@pytest.fixture
def run_dir(tmp_path, evaluation, dataset):
    write_results(tmp_path, evaluation, dataset, "last-value", 3, {"train_seconds": 1.5, "gradient_steps": 10})
    return tmp_path


def test_metrics_hold_every_promised_key(run_dir):
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert metrics.keys() >= PROMISED_KEYS
    assert (metrics["data"], metrics["model"], metrics["seed"], metrics["split"]) == (
        *("linear-system", "last-value"),
        *(3, "test"),
    )
    assert (metrics["train_seconds"], metrics["gradient_steps"], metrics["parameters"]) == (1.5, 10, 3)
    for task in ("one_step", "imputation"):
        assert metrics[task].keys() >= {"nrmse", "rmse", "nll", "persistence_nrmse", "linear_nrmse", "values"}


def test_for_images_nothing_is_listed_pixel_by_pixel(tmp_path, evaluation, dataset):
    images = replace(dataset, obs_names=(), obs_units=(), image_shape=(1, 2, 1))
    metrics = write_results(tmp_path, evaluation, images, "last-value", 3)
    assert metrics == json.loads((tmp_path / "metrics.json").read_text())
    for part in (metrics, metrics["one_step"], metrics["imputation"]):
        assert part.keys().isdisjoint({"obs_names", "per_dim", "per_dim_nrmse"})
        assert "nrmse" in part
    with np.load(tmp_path / "predictions.npz") as arrays:
        assert arrays["image_shape"].tolist() == [1, 2, 1]


def test_the_horizon_table_has_a_row_a_scored_step(run_dir, evaluation):
    with (run_dir / "horizon.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 2 - CONTEXT))
    assert float(rows[-1]["seconds"]) == pytest.approx(0.5 * len(rows))
    curves = evaluation.curves()
    for name, curve in curves.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], curve, rtol=1e-5)
    assert {row["sequences"] for row in rows} == {str(evaluation.long_horizon.model.sequences)}
    assert {"model_nrmse", "linear_rmse", "persistence_nrmse_sliding", "model_nll_sliding"} <= curves.keys()


def test_predictions_load_without_pickles(run_dir):
    with np.load(run_dir / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["obs"].shape == (4, STEPS + 1, 2)
        assert arrays["mean"].shape == arrays["var"].shape == arrays["linear"].shape == (4, STEPS, 2)
        half = 1.6448536 * np.sqrt(arrays["var"])
        np.testing.assert_allclose(arrays["lower_90"], arrays["mean"] - half, rtol=1e-5)
        np.testing.assert_allclose(arrays["upper_90"], arrays["mean"] + half, rtol=1e-5)
        assert arrays["obs_names"].tolist() == ["angle", "level"]
        assert arrays["obs_units"].tolist() == ["rad", "mm"]
        assert (float(arrays["sample_time"]), int(arrays["context_len"])) == (0.5, CONTEXT)


def test_a_score_that_is_no_number_is_refused_and_the_old_files_stay(run_dir, sequences, train_sequences, dataset):
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    broken = evaluate(MaskReader(), sequences, train_sequences, CONTEXT, metric_window=4)
    with pytest.raises(UserError, match="the score rmse is nan: the model's predictions are not finite"):
        write_results(run_dir, broken, dataset, "mask-reader", 0)
    assert {path.name: path.read_bytes() for path in run_dir.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path, evaluation, dataset):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_results(tmp_path / "file" / "run", evaluation, dataset, "last-value", 0)


def test_unknown_training_costs_are_null(tmp_path, evaluation, dataset):
    metrics = write_results(tmp_path, evaluation, dataset, "last-value", 0)
    assert metrics["train_seconds"] is None
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics


def test_the_files_end_with_the_last_scored_step(tmp_path, test_trajectories, normalizer, train_sequences):
    cut = [test_trajectories[0].rows(0, 11), test_trajectories[1].rows(0, 9)]
    sequences = SequenceDataset(cut, normalizer, STEPS, STEPS)
    evaluation = evaluate(LastValue(), sequences, train_sequences, CONTEXT, metric_window=4)
    metrics = write_results(tmp_path, evaluation, dataset_of(cut), "last-value", 0)
    assert (metrics["horizon"], metrics["configured_horizon"]) == (11 - CONTEXT, STEPS + 1 - CONTEXT)
    with (tmp_path / "horizon.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["sequences"]) for row in rows] == [
        ("1", "2"),
        ("2", "2"),
        ("3", "2"),
        ("4", "1"),
        ("5", "1"),
    ]
    with np.load(tmp_path / "predictions.npz") as arrays:
        assert arrays["obs"].shape == (2, 11, 2)
        assert arrays["mean"].shape == (*arrays["actions"].shape[:2], 2) == (2, 10, 2)
