import csv
import importlib.util
from pathlib import Path

import pytest

from mts3.errors import UserError
from mts3.train import build_loggers
from tests.train.conftest import short_fit


def rows(path: Path, column: str) -> list[float]:
    with path.open() as file:
        return [float(row[column]) for row in csv.DictReader(file) if row[column]]


def test_csv_and_tensorboard_are_written_and_a_resumed_part_has_its_own_folder(tmp_path: Path) -> None:
    short_fit(tmp_path, 2, loggers=build_loggers("tensorboard", tmp_path))
    logs = tmp_path / "logs"
    assert list(logs.glob("version_0/events.out.tfevents.*"))
    first = (logs / "version_0/metrics.csv").read_text()
    assert len(rows(logs / "version_0/metrics.csv", "val_nll")) == 2
    assert rows(logs / "version_0/metrics.csv", "window_drop_rate") == pytest.approx([0.05, 0.15])
    short_fit(tmp_path, 3, resume=True, loggers=build_loggers("tensorboard", tmp_path))
    assert (logs / "version_0/metrics.csv").read_text() == first
    assert rows(logs / "version_1/metrics.csv", "epoch")[-1] == 2
    assert len(rows(logs / "version_1/metrics.csv", "val_nll")) == 1


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UserError, match=r'pip install "mts3\[track\]"'):
        build_loggers(name, tmp_path)


def test_unknown_loggers_and_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean tensorboard"):
        build_loggers("tensorbord", tmp_path)
    for name in ("tensorboard", "csv"):
        with pytest.raises(UserError, match=f"logger={name}: .*colour"):
            build_loggers(name, tmp_path, colour="red")
