"""The report of flaws, in plain words."""

import numpy as np
import pytest
from matplotlib.image import imread

from mts3.cli.data_actions.check import check
from mts3.data import save_dataset
from mts3.data.core.trajectory import Dataset, Trajectory
from mts3.errors import UserError


def _episodes(number, rows=60):
    rng = np.random.default_rng(0)
    trajectories = []
    for i in range(number):
        obs = rng.normal(size=(rows, 2))
        if i % 2:
            obs[30, 1] = 50
        trajectories.append(Trajectory(obs, rng.normal(size=(rows, 1)), f"run {i}"))
    return Dataset("robot", tuple(trajectories), ("x", "y"), ("u",), 0.1)


def test_a_report_names_the_flaw_the_place_the_meaning_and_the_remedy(tmp_path, capsys):
    path = save_dataset(_episodes(6), tmp_path / "robot.npz")
    check(str(path), {"output": str(tmp_path / "flaws.png")})
    assert imread(tmp_path / "flaws.png").size
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "robot: 6 trajectories of 60 rows, 2 observations and 1 action"
    assert lines[2:4] == [
        "Outliers",
        "  y in 'run 1': jumps away and back: 1 row in all (row 31); and 2 more trajectories",
    ]
    assert lines[4].startswith("  means: ")
    assert any("mask_outliers=true" in line for line in lines)
    assert lines[-1] == f"picture: {tmp_path / 'flaws.png'}"


def test_a_sound_set_by_name(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check("plaza1", {})
    out = capsys.readouterr().out
    assert "nothing found" in out
    assert (tmp_path / "plaza1-check.png").exists()


def test_a_file_that_is_refused_says_why_first(tmp_path, capsys):
    rows = [f"{t},{np.sin(t):.4f}" for t in (0, 1, 2, 5, 6, 7)]
    (tmp_path / "log.csv").write_text("t,obs_x\n" + "\n".join(rows) + "\n")
    check(str(tmp_path / "log.csv"), {"time": "t", "output": str(tmp_path / "flaws.png"), "window_len": "2"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "log: 1 trajectory of 6 rows, 1 observation and no actions"
    assert lines[1].startswith("it cannot be used as it is: ")
    assert "irregular times" in lines[1]
    assert "  'log': 1 gap, about 2 rows; the longest takes 3 s (rows 3-4)" in lines


@pytest.mark.parametrize("given", ["0", "two", "1.5"])
def test_a_window_length_that_is_none(given):
    with pytest.raises(UserError, match="whole number > 0"):
        check("tiago", {"window_len": given})


def test_short_trajectories_are_judged_by_the_window_length(tmp_path, capsys):
    path = save_dataset(_episodes(1, rows=30), tmp_path / "robot.npz")
    output = str(tmp_path / "flaws.png")
    check(str(path), {"output": output})
    assert "'run 0': 30 rows, expected at least 41" in capsys.readouterr().out
    check(str(path), {"output": output, "window_len": "10"})
    assert "nothing found" in capsys.readouterr().out
