"""Tables and rows against means and standard deviations computed by hand."""

import csv
import statistics

import numpy as np
import pytest

from mts3.evaluate.summary import IMPUTATION, LONG_HORIZON, ONE_STEP, Run, table
from mts3.evaluate.summary_files import horizon_rows, write_summary


def finished(data, model, seed, nrmse, curve=(0.1, 0.2), linear=0.5, persistence=0.9, **changes):
    scores = {"nrmse": nrmse, "nll": 10 * nrmse, "crps": nrmse / 2, "coverage_90": 0.9, "values": 7}
    scores |= {"linear_nrmse": linear, "persistence_nrmse": persistence, "per_dim": [nrmse]}
    metrics = {
        **scores,
        "data": data,
        "model": model,
        "seed": seed,
        "causal": True,
        "parameters": 12345,
        "train_seconds": 100.4 + seed,
        "gradient_steps": 200,
        "one_step": scores | {"nrmse": nrmse / 10},
        "imputation": scores,
        "reliability": {"level": [0.5], "coverage": [0.4]},
    }
    seconds = 0.5 * np.arange(1, len(curve) + 1)
    horizon = {f"{name}_nrmse_sliding": np.array(curve) + add for name, add in _CURVES.items()}
    return Run(data, model, seed, f"runs/{data}-{model}-seed{seed}", metrics | changes, {"seconds": seconds} | horizon)


_CURVES = {"model": 0.0, "linear": 1.0, "persistence": 2.0}


def failed(data, model, seed):
    return Run(data, model, seed, f"runs/{data}-{model}-seed{seed}", None, None)


def records(found):
    return [dict(zip(found.header, row, strict=True)) for row in found.rows]


def test_a_row_is_mean_and_spread_over_seeds():
    errors = [0.40, 0.43, 0.37]
    (row, *_) = records(table([finished("soil", "mts3", seed, error) for seed, error in enumerate(errors)]))
    assert row["NRMSE"] == f"{statistics.mean(errors):.3f} ± {statistics.stdev(errors):.3f}" == "0.400 ± 0.030"
    assert row["NLL"] == "4.000 ± 0.300"
    assert row["90 % coverage"] == "0.900"  # no spread: none shown
    assert (row["seeds"], row["parameters"], row["train s"], row["steps"]) == ("3", "12,345", "101 ± 1", "200")


def test_one_seed_has_no_spread():
    assert "±" not in table([finished("soil", "mts3", 0, 0.4), finished("soil", "acrkn", 0, 0.3)]).markdown()


def test_the_best_of_each_data_set_is_bold_and_starred():
    runs = [finished("soil", "mts3", 0, 0.4), finished("soil", "acrkn", 0, 0.6), finished("pam", "mts3", 0, 0.7)]
    found = table(runs)
    bold = [line.split(" | ")[:2] for line in found.markdown().splitlines() if "**" in line]
    assert bold == [["| soil", "mts3"], ["| pam", "linear"]]
    assert [row[3] for row in found.plain()[1:3]] == ["0.400 *", "0.600  "]


def test_fewer_steps_than_asked_for_are_told_beside_the_error():
    runs = [finished("soil", "mts3", seed, 0.4, horizon=5, configured_horizon=161) for seed in (0, 1)]
    runs += [finished("pam", "mts3", 0, 0.4, horizon=61, configured_horizon=61)]
    found = table(runs)
    rows = [(row["data"], row["model"], row["NRMSE"]) for row in records(found)]
    assert rows[:3] == [
        ("soil", "mts3", "0.400, 5 of 161 steps"),
        ("soil", "linear", "0.500, 5 of 161 steps"),
        ("soil", "persistence", "0.900, 5 of 161 steps"),
    ]
    assert rows[3:5] == [("pam", "mts3", "0.400"), ("pam", "linear", "0.500")]
    assert "| **0.400, 5 of 161 steps** |" in found.markdown()
    assert found.plain()[1][3] == "0.400, 5 of 161 steps *"


def test_runs_that_reach_differently_far_are_not_ranked_against_each_other():
    near, far = {"horizon": 80, "configured_horizon": 80}, {"horizon": 161, "configured_horizon": 161}
    runs = [
        finished("soil", "mts3", 0, 0.4, **far),
        finished("soil", "acrkn", 0, 0.2, **near),
        failed("soil", "gru", 0),
    ]
    runs += [finished("soil", "rkn", 0, 0.45, **far), finished("soil", "lstm", 0, 0.3, **near)]
    found = table(runs)
    shown = {row["model"]: row["NRMSE"] for row in records(found)}
    assert shown == {
        "mts3": "0.400, 161 steps",
        "acrkn": "0.200, 80 steps",
        "gru": "–",
        "rkn": "0.450, 161 steps",
        "lstm": "0.300, 80 steps",
        "linear": "0.500, 161 steps",
        "persistence": "0.900, 161 steps",
    }
    assert [found.rows[number][1] for number in sorted(found.best)] == ["mts3", "acrkn"]


def test_seeds_that_reach_differently_far_are_told():
    asked = {"configured_horizon": 161}
    runs = [finished("soil", name, 0, 0.4, horizon=161, **asked) for name in ("mts3", "rkn")]
    runs += [finished("soil", name, 1, 0.2, horizon=9, **asked) for name in ("mts3", "rkn")]
    rows = records(table(runs))
    assert {row["NRMSE"].partition(", ")[2] for row in rows} == {"161 / 9 of 161 steps"}


def test_baselines_stand_beside_the_models_and_whoever_loses_is_marked():
    runs = [finished("soil", "mts3", 0, 0.4), finished("soil", "acrkn", 0, 0.6), finished("soil", "rkn", 0, 0.95)]
    rows = {row["model"]: row for row in records(table(runs))}
    loses = {name: row["loses to"] for name, row in rows.items()}
    expected = {"mts3": "", "acrkn": "linear", "rkn": "linear, persistence", "linear": "", "persistence": "linear"}
    assert loses == expected
    assert (rows["linear"]["NRMSE"], rows["linear"]["NLL"], rows["linear"]["steps"]) == ("0.500", "–", "–")


def test_a_baseline_that_is_a_model_has_one_row_and_does_not_lose_to_itself():
    runs = [finished("soil", "linear", 0, 0.5 + 1e-9), finished("soil", "persistence", 0, 0.9, nll=None)]
    rows = records(table(runs))
    assert [(row["model"], row["loses to"]) for row in rows] == [("linear", ""), ("persistence", "linear")]
    assert rows[1]["NLL"] == "–"
    assert rows[0]["NLL"] == "5.000"


def test_means_are_compared_on_the_same_test_parts():
    """Seed 1, whose test part is harder, failed for one model: it must not lose for that."""
    runs = [finished("pam", "mts3", 0, 0.4, linear=0.5), finished("pam", "mts3", 1, 0.8, linear=0.9)]
    runs += [failed("pam", "acrkn", 0), finished("pam", "acrkn", 1, 0.8, linear=0.9)]
    rows = {row["model"]: row for row in records(table(runs))}
    assert rows["acrkn"]["loses to"] == rows["mts3"]["loses to"] == ""
    assert rows["acrkn"]["seeds"] == "1, 1 failed"
    assert rows["linear"]["NRMSE"].startswith("0.700 ± ")


def test_what_failed_or_was_not_scored_is_a_dash():
    runs = [failed("soil", "rkn", 0), failed("soil", "rkn", 1), finished("soil", "mts3", 0, 0.4, one_step=None)]
    rows = {row["model"]: row for row in records(table(runs))}
    assert (rows["rkn"]["seeds"], rows["rkn"]["NRMSE"], rows["rkn"]["train s"]) == ("failed", "–", "–")
    rows = {row["model"]: row for row in records(table(runs, ONE_STEP))}
    assert (rows["mts3"]["seeds"], rows["mts3"]["NRMSE"], rows["mts3"]["NLL"]) == ("1", "–", "–")
    assert "train s" not in rows["mts3"]
    assert len(table([failed("soil", "rkn", 0)]).rows) == 1


@pytest.mark.parametrize(("value", "shown"), [(-48.25, "-48.250"), (1234.5, "1234"), (0.0, "0.000")])
def test_digits(value, shown):
    assert records(table([finished("soil", "mts3", 0, 0.4, nll=value)]))[0]["NLL"] == shown


def test_every_number_of_the_tables_can_be_had_from_the_rows(tmp_path):
    runs = [finished("soil", "mts3", 0, 0.41234567890123), finished("soil", "mts3", 1, 0.44), failed("soil", "rkn", 0)]
    shown = write_summary(tmp_path, runs)
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"], row["status"]) for row in rows] == [
        ("mts3", "0", "finished"),
        ("mts3", "1", "finished"),
        ("rkn", "0", "failed"),
    ]
    assert float(rows[0]["nrmse"]) == 0.41234567890123
    assert rows[0]["folder"] == "runs/soil-mts3-seed0"
    assert rows[2]["nrmse"] == ""
    assert not {"per_dim", "one_step", "imputation", "reliability", "one_step_per_dim"} & rows[0].keys()
    for task, name in ((LONG_HORIZON, "table.md"), (ONE_STEP, "one_step.md"), (IMPUTATION, "imputation.md")):
        prefix = "" if task == LONG_HORIZON else f"{task}_"
        values = [float(row[f"{prefix}nrmse"]) for row in rows[:2]]
        cell = f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
        assert cell in (tmp_path / name).read_text()
    assert shown == table(runs)
    assert not list(tmp_path.glob(".*"))


def test_curves_are_pooled_over_seeds_step_by_step(tmp_path):
    runs = [
        finished("pam", "mts3", 0, 0.4, curve=[0.1, np.nan, np.nan, 0.9, 0.9]),
        finished("pam", "mts3", 1, 0.4, curve=[0.3, 0.5, np.nan, 0.7]),  # the curves end with the shorter of the two
        failed("pam", "rkn", 0),
    ]
    rows = horizon_rows(runs)
    assert {row["model"] for row in rows} == {"mts3", "linear", "persistence"}
    mine = [row for row in rows if row["model"] == "mts3"]
    assert [(row["step"], row["seconds"], row["seeds"]) for row in mine] == [
        (1, "0.5", 2),
        (2, "1", 1),
        (3, "1.5", 0),
        (4, "2", 2),
    ]
    assert float(mine[0]["nrmse"]) == pytest.approx(0.2)
    assert float(mine[0]["nrmse_std"]) == pytest.approx(statistics.stdev([0.1, 0.3]), rel=1e-5)
    assert [row["nrmse"] for row in mine[1:]] == ["0.5", None, "0.8"]
    assert [row["nrmse_std"] is None for row in mine[1:]] == [True, True, False]
    assert [row["nrmse"] for row in rows if row["model"] == "linear"] == ["1.2", "1.5", None, "1.8"]
