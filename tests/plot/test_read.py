"""The files of an evaluation are checked where they are read: one line, or everything a figure needs."""

import json
from pathlib import Path

import numpy as np
import pytest

from mts3.plot.read import read_horizon, read_metrics, read_predictions
from tests.damage import cut, edited, refusal


@pytest.mark.parametrize(
    ("name", "read"),
    [("metrics.json", read_metrics), ("horizon.csv", read_horizon), ("predictions.npz", read_predictions)],
)
def test_a_cut_file_is_refused(run_dir: Path, name: str, read) -> None:
    for content in cut((run_dir / name).read_bytes()):
        (run_dir / name).write_bytes(content)
        assert refusal(lambda: read(run_dir))


def test_every_edit_of_the_scores_is_refused_or_does_no_harm(run_dir: Path) -> None:
    whole = json.loads((run_dir / "metrics.json").read_text())
    whole |= {"horizon": 21, "one_step": {"nrmse": 1.0}, "train_seconds": 3.0}
    optional = ("horizon", "one_step", "one_step.nrmse", "train_seconds")
    for what, tree in edited(whole):
        (run_dir / "metrics.json").write_text(json.dumps(tree))
        key, value = what.split("=")
        numeric = key not in ("model", "one_step") and "reliability" not in key
        # A number in place of another cannot be told from it.
        other = numeric and value in ("-1", str(10**30))
        absent = key in optional and value in ("None", "'removed'")
        taken = refusal(lambda: read_metrics(run_dir)) is None
        assert taken == (other or absent or what in ("model='text'", "one_step={'a': 1}")), what


def test_a_horizon_without_its_end_or_a_column_is_refused(run_dir: Path) -> None:
    path = run_dir / "horizon.csv"
    lines = path.read_text().splitlines(keepends=True)
    metrics = json.loads((run_dir / "metrics.json").read_text())
    (run_dir / "metrics.json").write_text(json.dumps(metrics | {"horizon": len(lines) - 1}))
    assert len(read_horizon(run_dir)["step"]) == len(lines) - 1
    for rows in range(len(lines)):
        path.write_text("".join(lines[:rows]))
        assert refusal(lambda: read_horizon(run_dir))
    for column in range(len(lines[0].split(","))):
        kept = [[cell for place, cell in enumerate(line.split(",")) if place != column] for line in lines]
        path.write_text("\n".join(",".join(row).strip() for row in kept) + "\n")
        assert "it has no column" in (refusal(lambda: read_horizon(run_dir)) or "")
    for cell in ("x", "nan", "-1", "inf", ""):
        path.write_text("".join([lines[0], lines[1].replace("60.0", cell), *lines[2:]]))
        assert refusal(lambda: read_horizon(run_dir))


def test_predictions_of_other_shapes_or_types_are_refused(run_dir: Path) -> None:
    path = run_dir / "predictions.npz"
    with np.load(path) as file:
        arrays = dict(file)
    unused = ("actions", "action_names", "action_units")
    for name, array in arrays.items():
        for other in (None, np.array("x"), np.array(-1), array[:0] if array.ndim else array[None], array.astype("S9")):
            kept = {key: value for key, value in arrays.items() if key != name}
            np.savez(path, **kept if other is None else kept | {name: other})
            assert (refusal(lambda: read_predictions(run_dir)) is None) == (name in unused), (name, other)
    for name, value in (("mean", np.nan), ("var", -1.0), ("var", np.inf), ("obs", np.inf)):
        np.savez(path, **arrays | {name: np.full_like(arrays[name], value)})
        assert refusal(lambda: read_predictions(run_dir))
