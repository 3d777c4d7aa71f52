"""The picture of a data set: drawn, readable by its marks, nothing half-written."""

import os

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from mts3.data import Dataset, Trajectory
from mts3.errors import UserError
from mts3.plot import dataset as picture


@pytest.fixture
def figures(monkeypatch):
    """The figures drawn, as they are saved."""
    drawn, save = [], picture.style.save

    def spy(figure, path):
        drawn.append(figure)
        return save(figure, path)

    monkeypatch.setattr(picture.style, "save", spy)
    return drawn


def test_every_channel_has_its_strip_with_name_and_unit(dataset, tmp_path, figures):
    path = picture.show_dataset(dataset, tmp_path / "toy.png")
    assert path.stat().st_size > 10_000
    titles = [axes.get_title(loc="left") for axes in figures[0].axes]
    assert titles == ["a (m)", "b", "c (s)", "u", "v"]
    assert "3 of 10 trajectories" in figures[0].get_suptitle()


def test_gaps_break_the_line_and_are_marked(tmp_path, figures):
    obs = np.ones((50, 1))
    obs[[10, 11, 12, 30]] = np.nan
    picture.show_dataset(Dataset("g", (Trajectory(obs, np.zeros((50, 0)), "t"),), ("x",), (), 1.0), tmp_path / "g.png")
    axes = figures[0].axes[0]
    assert np.isnan(axes.lines[0].get_ydata()).sum() == 4
    assert [(patch.get_x(), patch.get_width()) for patch in axes.patches] == [(9.5, 3.0), (29.5, 1.0)]


def test_a_long_recording_keeps_its_spikes(tmp_path, figures):
    obs = np.zeros((100_000, 1))
    obs[77_777], obs[33_333] = 5.0, -4.0
    trajectory = Trajectory(obs, np.zeros((100_000, 0)), "t")
    picture.show_dataset(Dataset("l", (trajectory,), ("x",), (), 60.0), tmp_path / "l.png")
    line = figures[0].axes[0].lines[0].get_ydata()
    assert len(line) < 5000
    assert (line.min(), line.max()) == (-4.0, 5.0)
    assert figures[0].axes[0].get_xlabel() == "time (days)"


@pytest.mark.parametrize("action_dim", [0, 1])
def test_images_are_drawn_as_frames_above_the_actions(tmp_path, figures, action_dim):
    obs = np.random.default_rng(0).random((5, 30, 64))
    obs[0, 1] = np.nan
    trajectories = tuple(Trajectory(video, np.ones((30, action_dim)), f"v{n}") for n, video in enumerate(obs))
    dataset = Dataset("i", trajectories, (), ("push",) * action_dim, 0.5, image_shape=(1, 8, 8))
    picture.show_dataset(dataset, tmp_path / "i.png")
    *frames, last = figures[0].axes if action_dim else (*figures[0].axes, None)
    assert [axes.get_yticklabels()[0].get_text() for axes in frames] == ["v0", "v2", "v4"]
    labels = [text.get_text() for text in frames[0].get_xticklabels()]
    assert (labels[:3], labels[-1]) == (["0 s", "0.5 s", "1 s"], "14.5 s")
    assert last is None or last.get_title(loc="left") == "push"
    assert "images of 1 x 8 x 8" in figures[0].get_suptitle()


def test_a_full_disk_leaves_no_half_picture(dataset, tmp_path, monkeypatch):
    def full(figure, path, **options):
        path.write_bytes(b"half of it")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(UserError, match=r"cannot write .*toy\.png: No space left on device"):
        picture.show_dataset(dataset, tmp_path / "toy.png")
    assert os.listdir(tmp_path) == []
    assert plt.get_fignums() == []
