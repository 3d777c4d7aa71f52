"""Figures come out of the files alone, opaque, whatever the number of channels; broken files are named."""

import json

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from mts3.errors import UserError
from mts3.plot import plot_horizon, plot_predictions, plot_reliability, plot_results, style
from mts3.plot.predictions import _limits, _most_telling
from mts3.plot.read import read_horizon, read_predictions
from mts3.plot.style import time_unit
from tests.plot.conftest import write_run


def test_all_figures_are_drawn_opaque_and_global_style_stays(run_dir):
    before = dict(mpl.rcParams), mpl.get_backend(auto_select=False)
    paths = plot_results(run_dir)
    assert [path.name for path in paths] == ["predictions.png", "horizon.png", "reliability.png"]
    for path in paths:
        image = imread(path)
        assert image.shape[1] > 500
        assert (image[..., 3] == 1.0).all() if image.shape[-1] == 4 else True
        assert image[..., :3].std() > 0.01  # something is drawn
        np.testing.assert_allclose(image[0, 0, :3], 1.0)  # on white: right on a light and on a dark page
    assert (dict(mpl.rcParams), mpl.get_backend(auto_select=False)) == before


@pytest.mark.parametrize(("channels", "sequences"), [(1, 1), (9, 2)])
def test_one_channel_and_many(tmp_path, channels, sequences):
    path = plot_predictions(write_run(tmp_path, channels, sequences), tmp_path / "p.png")
    height = imread(path).shape[0]
    assert height < 1400  # at most four rows


def test_the_channels_that_move_are_shown():
    obs = np.zeros((2, 20, 6))
    obs[:, :, 0] = np.linspace(0, 1e-3, 20)  # moves all the time, in a tiny unit
    obs[:, :, 1] = np.where(np.arange(20) < 10, 1e6, 0.0)  # moves, but not after the context
    obs[:, :, 2:5] = np.linspace(0, 5, 20)[:, None]
    obs[:, :, 5] = np.nan
    persistence = np.repeat(obs[:, 9:10], 19, 1)
    persistence[:, :, 1] = 0.0
    arrays = {"obs": obs, "persistence": persistence, "context_len": np.array(10)}
    assert _most_telling(arrays) == [0, 2, 3, 4]


def _one_channel(truth, mean, std):
    half = 1.6448536 * np.asarray(std)
    one = {"obs": truth, "lower_90": mean - half, "upper_90": mean + half}
    return {name: np.array(values, float)[None, :, None] for name, values in one.items()} | {"context_len": np.array(1)}


def test_the_limits_hold_truth_and_band():
    arrays = _one_channel([0.0, 1.0, np.nan, 0.5], [0.5, 0.5, 0.5], [0.1, 0.2, 0.4])
    half = 1.6448536 * 0.4
    assert _limits(arrays, 1, 0) == pytest.approx((0.5 - half - 0.05, 0.5 + half + 0.05))


def test_the_bands_are_those_of_the_file(run_dir, monkeypatch):
    """Skewed, as no Gaussian is; where a file of an earlier version has none they are those of a Gaussian."""
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure) or path)
    arrays = read_predictions(run_dir)
    half = {50: 0.6744898, 90: 1.6448536}
    for level, width in half.items():
        np.testing.assert_allclose(arrays[f"upper_{level}"] - arrays["mean"], width * np.sqrt(arrays["var"]))
        np.testing.assert_allclose(arrays["mean"] - arrays[f"lower_{level}"], width * np.sqrt(arrays["var"]))
        arrays |= {f"lower_{level}": arrays["mean"] - 0.1 * level, f"upper_{level}": arrays["mean"] + level}
    np.savez(run_dir / "predictions.npz", **arrays)
    plot_predictions(run_dir, run_dir / "p.png")
    mean = arrays["mean"][0, 4:, 0]  # after a context of 5
    for area, level in zip(figures[0].axes[0].collections[:2], (90, 50), strict=True):
        drawn = area.get_paths()[0].vertices[:, 1]
        assert (drawn.min(), drawn.max()) == pytest.approx((mean.min() - 0.1 * level, mean.max() + level))


@pytest.mark.parametrize("name", ["lower_50", "upper_90"])
def test_a_file_with_some_of_the_bounds_is_refused(run_dir, name):
    arrays = read_predictions(run_dir)
    del arrays[name]
    np.savez(run_dir / "predictions.npz", **arrays)
    with pytest.raises(UserError, match=f"'{name}' is missing"):
        read_predictions(run_dir)


def test_a_band_that_runs_away_does_not_flatten_the_truth():
    low, high = _limits(_one_channel([0.0, 1.0, np.nan, 0.5], [0.0, 0.0, 1e6], [1.0, 1e6, 1.0]), 1, 0)
    assert (low, high) == pytest.approx((-0.55, 1.55))


def test_what_does_not_exist_is_not_drawn(tmp_path, monkeypatch):
    """Beyond the end of a trajectory the arrays are NaN: of a picture's sequences one is shorter than the others."""
    write_run(tmp_path, sequences=3)
    with np.load(tmp_path / "predictions.npz") as arrays:
        cut = dict(arrays)
    cut["obs"][1, 11:] = np.nan
    for name in ("actions", "mean", "var", "persistence", "linear"):
        cut[name][1, 10:] = np.nan
    np.savez(tmp_path / "predictions.npz", **cut)
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure) or path)
    plot_predictions(tmp_path, tmp_path / "p.png")
    rows = [[np.isfinite(line.get_ydata()).sum() for line in axes.lines[:4]] for axes in figures[0].axes[:3]]
    # Persistence, linear and model after a context of 5, and the truth.
    assert rows == [[21, 21, 21, 26], [6, 6, 6, 11], [21, 21, 21, 26]]
    for axes in figures[0].axes:
        assert np.isfinite(axes.get_ylim()).all()
        assert axes.get_xlim() == pytest.approx((-4 / 1, 21))  # minutes, from the first to the last row


@pytest.mark.parametrize(
    ("truth", "mean", "limits"),
    [
        ([np.nan] * 3, [np.nan] * 2, (0.0, 1.0)),
        ([np.nan] * 3, [0.0, np.nan], (-1.6448536, 1.6448536)),
        ([0.0, 1.0, np.nan], [np.nan] * 2, (-0.05, 1.05)),
    ],
)
def test_the_limits_of_what_is_partly_there(truth, mean, limits):
    assert _limits(_one_channel(truth, mean, np.ones(2)), 1, 0) == pytest.approx(limits)


def test_the_horizon_picture_says_what_its_end_stands_for(run_dir, monkeypatch):
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure) or path)

    def title(**changes):
        metrics = json.loads((run_dir / "metrics.json").read_text()) | changes
        (run_dir / "metrics.json").write_text(json.dumps(metrics))
        plot_horizon(run_dir, run_dir / "h.png")
        return figures[-1].axes[0].get_title(loc="left")

    assert title() == "error at each step (faint) and over the last 4 steps (thick)"
    assert title(sequences=7, sequences_at_end=7).endswith("(thick)")
    assert title(sequences_at_end=2).endswith("(thick)\nthe last step was observed in 2 of 7 sequences")
    assert "over the last 21 steps" in title(metric_window=500)  # there are no more


def test_a_horizon_of_one_step_is_a_point(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure) or path)
    plot_horizon(write_run(tmp_path, steps=5), tmp_path / "h.png")
    for axes in figures[0].axes:
        assert sum(line.get_marker() == "o" for line in axes.lines) >= 2


@pytest.mark.parametrize(
    ("seconds", "unit"), [(0.6, "s"), (170.0, "s"), (200.0, "min"), (4 * 3600.0, "h"), (30 * 86400.0, "days")]
)
def test_time_unit(seconds, unit):
    assert time_unit(seconds)[1] == unit


def test_empty_cells_are_nan(run_dir):
    table = read_horizon(run_dir)
    assert np.isnan(table["model_nrmse"]).tolist() == [step == 7 for step in range(1, 22)]


@pytest.mark.parametrize("plot", [plot_predictions, plot_horizon, plot_reliability])
def test_a_missing_file_says_what_to_run(tmp_path, plot):
    with pytest.raises(UserError, match="does not exist: run mts3 evaluate run="):
        plot(tmp_path, tmp_path / "x.png")


@pytest.mark.parametrize(
    ("name", "plot"),
    [("metrics.json", plot_reliability), ("horizon.csv", plot_horizon), ("predictions.npz", plot_predictions)],
)
def test_a_broken_file_is_named(run_dir, name, plot):
    (run_dir / name).write_text("{1,2\n3")
    with pytest.raises(UserError, match=f"cannot read .*{name}: it is not what mts3 writes"):
        plot(run_dir, run_dir / "x.png")


def test_predictions_are_read_without_pickles(run_dir):
    np.savez(run_dir / "predictions.npz", obs=np.array([{"code": 1}], dtype=object))
    with pytest.raises(UserError, match="cannot read"):
        read_predictions(run_dir)
