"""Flaws are drawn where they are."""

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from mts3.data import Dataset, Trajectory
from mts3.data.quality.check import Checked, check_dataset, find_flaws
from mts3.data.quality.findings import KINDS
from mts3.data.rows.raw import RawDataset, RawTrajectory
from mts3.errors import UserError
from mts3.plot import style
from mts3.plot.check import COLOURS, OPACITY, _line, plot_check


@pytest.fixture
def figures(monkeypatch):
    """Figures as they are saved."""
    saved: list[Figure] = []
    save = style.save
    monkeypatch.setattr(style, "save", lambda figure, path: (saved.append(figure), save(figure, path))[1])
    return saved


def _walks(number, rows, channels=2):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(rows, channels)).cumsum(0) for _ in range(number)]


def _checked(obs, times=None):
    rng = np.random.default_rng(1)
    names = tuple(f"x{i}" for i in range(obs[0].shape[1]))
    raw = tuple(RawTrajectory(f"t{i}", o, rng.normal(size=(len(o), 1)), times) for i, o in enumerate(obs))
    recording = RawDataset("toy", raw, names, ("u",), None if times is not None else 0.5)
    return Checked(recording, find_flaws(recording))


def _spans(axes, kind):
    """(left, right) of the marks of one kind."""
    tint = matplotlib.colors.to_rgba(COLOURS[kind], OPACITY)
    boxes = [patch.get_bbox() for patch in axes.patches if patch.get_facecolor() == tint]
    return [(round(box.x0, 6), round(box.x1, 6)) for box in boxes]


def test_marks_are_where_the_flaws_are(tmp_path, figures):
    obs = _walks(1, 400)
    obs[0][100:160, 0] = obs[0][:, 0].max() + 20
    obs[0][300:320, 1] = np.nan
    path = plot_check(_checked(obs), tmp_path / "flaws.png")
    assert imread(path)[..., :3].std() > 0.01
    (figure,) = figures
    assert [axes.get_title("left") for axes in figure.axes] == ["x0", "x1"]  # what is sound is left out
    # 0.5 s a row, and half a row on either side; the axis is in minutes.
    assert _spans(figure.axes[0], "stuck") == [
        (pytest.approx(49.75 / 60, abs=1e-5), pytest.approx(79.75 / 60, abs=1e-5))
    ]
    assert _spans(figure.axes[1], "gap") == [
        (pytest.approx(149.75 / 60, abs=1e-5), pytest.approx(159.75 / 60, abs=1e-5))
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Stuck sensor", "Not observed"]
    assert "stuck sensor, not observed" in figure.get_suptitle()


def test_flawed_times_have_a_strip_and_break_the_line(tmp_path, figures):
    times = np.r_[np.arange(200.0), np.arange(300.0, 400.0)]
    plot_check(_checked(_walks(1, 300), times), tmp_path / "flaws.png")
    steps, channel = figures[0].axes[:2]
    assert steps.get_title("left") == "time step"
    assert _spans(steps, "time_gap") == [(pytest.approx(199 / 60, abs=1e-5), pytest.approx(300 / 60, abs=1e-5))]
    (line, *_) = channel.lines
    assert np.isnan(line.get_ydata()).sum() == 1


def test_a_long_recording_shows_the_first_flaw_from_near(tmp_path, figures):
    obs = _walks(1, 5000)
    obs[0][3000, 1] += 500
    plot_check(_checked(obs), tmp_path / "flaws.png")
    whole, near = figures[0].axes
    assert np.diff(whole.get_xlim()) > 40  # minutes
    assert near.get_xlabel() == "data row"
    assert _spans(near, "outlier") == [(3000.5, 3001.5)]
    assert 2900 < near.get_xlim()[0] < 3000 < near.get_xlim()[1] < 3100


def test_of_many_trajectories_the_most_flawed_are_shown(tmp_path, figures, monkeypatch):
    monkeypatch.setattr("mts3.plot.check.SHOWN_CHANNELS", 3)
    obs = _walks(9, 200, channels=5)
    for number, channels in ((2, 3), (5, 5), (6, 2), (8, 4)):
        obs[number][50:80, :channels] = np.nan
    plot_check(_checked(obs), tmp_path / "flaws.png")
    axes = figures[0].axes
    assert len(axes) == 3 * 3
    assert [a.get_title("left").split("\n")[0] for a in axes[:3]] == ["t2", "t5", "t8"]
    assert "3 of 9 trajectories" in figures[0].get_suptitle()


def test_nothing_found_and_images(tmp_path, figures):
    rng = np.random.default_rng(0)
    video = Trajectory(rng.random((60, 12)), np.zeros((60, 0)), "v")
    images = Dataset("video", (video,), (), (), 0.1, image_shape=(3, 2, 2))
    plot_check(check_dataset(images), tmp_path / "video.png")
    assert [axes.get_title("left") for axes in figures[0].axes] == ["brightness"]
    assert figures[0].get_suptitle() == "video: nothing found"
    assert not figures[0].legends


def test_times_and_values_that_cannot_be_drawn(tmp_path, figures):
    obs = _walks(1, 60)
    obs[0][5, 0] = np.inf
    times = np.r_[0, 1, np.nan, 3, 2, 2, np.arange(6.0, 60)]
    plot_check(_checked(obs, times), tmp_path / "flaws.png")
    steps, infinite = figures[0].axes[:2]
    assert all(_spans(steps, kind) for kind in ("time_missing", "time_back", "time_repeated"))
    assert len(_spans(infinite, "infinite")) == 1


def test_every_kind_with_rows_has_a_colour():
    without = {"action_extra", "action_late", "never_observed", "short", "coarse", "constant", "time_unit"}
    assert set(KINDS) - set(COLOURS) == without


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        plot_check(_checked(_walks(1, 100)), tmp_path / "file" / "flaws.png")


def test_times_that_repeat_do_not_break_the_line():
    time = np.repeat(np.arange(20.0), 5)
    axes = style.new_figure(4, 2).subplots()
    _line(axes, np.repeat(np.arange(20.0) % 3, 5), time)
    assert not np.isnan(axes.lines[0].get_ydata()).any()
