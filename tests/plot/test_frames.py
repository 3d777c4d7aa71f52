"""Images are drawn as images: the right frames, the right colours, gaps in yellow."""

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.image import imread

from mts3.plot import plot_predictions
from mts3.plot.frames import GAP, as_colours, draw_frames, steps_to_show
from mts3.plot.image_predictions import _times
from tests.plot.conftest import write_run


@pytest.mark.parametrize("number", [1, 2, 8, 9, 10, 11, 13, 20, 41, 500, 100_000])
def test_the_steps_spread_out_from_the_first_to_the_last(number):
    steps = steps_to_show(number)
    assert (steps[0], steps[-1]) == (1, number)
    assert len(steps) == min(number, 9)
    assert (np.diff(steps) > 0).all()
    gaps = np.diff(steps)
    assert number < 20 or gaps[-1] == gaps.max() > gaps[0]


def test_grey_colour_and_what_is_missing():
    grey = as_colours(np.array([[0.0, 5.0, 10.0, np.nan]]), (1, 2, 2), 0.0, 10.0)
    assert grey.shape == (1, 2, 2, 3)
    np.testing.assert_allclose(grey[0, :, :, 0].ravel(), [0.0, 0.5, 1.0, GAP[0]])
    np.testing.assert_allclose(grey[0, 1, 1], GAP)
    colour = as_colours(np.arange(12.0), (3, 2, 2), 0.0, 11.0)
    np.testing.assert_allclose(colour[1, 0] * 11, [2, 6, 10])  # planes lie one after the other
    assert (as_colours(np.zeros((2, 8)), (2, 2, 2), 0.0, 0.0) == 0).all()


def test_frames_stand_in_rows_and_columns():
    axes = matplotlib.figure.Figure().subplots()
    draw_frames(axes, np.linspace(0, 0.9, 6).reshape(2, 3, 1, 1, 1) * np.ones((4, 5, 3)), ["a", "b"], ["x", "y", "z"])
    mosaic = axes.images[0].get_array()
    assert mosaic.shape == (2 * 5, 3 * 6, 3)
    assert [mosaic[1 + 5 * r, 1 + 6 * c, 0] for r in (0, 1) for c in (0, 1, 2)] == pytest.approx(
        np.linspace(0, 0.9, 6).tolist()
    )
    assert (mosaic[4] == 1).all()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "y", "z"]


def test_times_are_in_the_unit_of_the_horizon():
    assert _times([1, 2, 400], 1.0) == ["+0.0167 min", "+0.0333 min", "+6.67 min"]
    assert _times([1, 41], 0.1) == ["+0.1 s", "+4.1 s"]


def _image_run(folder, shape, sequences, steps=25):
    write_run(folder, channels=int(np.prod(shape)), sequences=sequences, steps=steps)
    with np.load(folder / "predictions.npz") as arrays:
        kept = dict(arrays)
    np.savez(folder / "predictions.npz", **kept, image_shape=np.array(shape))
    return folder


@pytest.mark.parametrize(("shape", "sequences", "steps"), [((1, 8, 8), 4, 25), ((3, 8, 16), 1, 6), ((1, 16, 8), 1, 5)])
def test_predictions_of_images_are_frames(tmp_path, monkeypatch, shape, sequences, steps):
    drawn = []
    monkeypatch.setattr(
        "mts3.plot.image_predictions.draw_frames", lambda axes, *what: (drawn.append(what), draw_frames(axes, *what))
    )
    path = plot_predictions(_image_run(tmp_path, shape, sequences, steps), tmp_path / "p.png")
    assert imread(path)[..., :3].std() > 0.01
    assert len(drawn) == min(sequences, 3)
    frames, rows, columns = drawn[0]
    horizon = steps - 4  # five of the steps + 1 observations are context
    assert frames.shape == (3, 1 + min(horizon, 9), *shape[1:], 3)
    assert (rows, columns[0]) == (["truth", "mts3", "± std"], "observed")
    assert (frames[1:, 0] == 1).all()
    with np.load(tmp_path / "predictions.npz") as arrays:
        obs, mean = arrays["obs"][0], arrays["mean"][0]
        every = arrays["obs"][:3]
    for row, expected in ((0, obs[-1]), (1, mean[-1])):
        np.testing.assert_allclose(frames[row, -1], as_colours(expected, shape, every.min(), every.max()))


def test_frames_after_the_end_of_a_trajectory_are_empty(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "mts3.plot.image_predictions.draw_frames", lambda axes, *what: (drawn.append(what), draw_frames(axes, *what))
    )
    _image_run(tmp_path, (1, 8, 8), 2, steps=12)
    with np.load(tmp_path / "predictions.npz") as arrays:
        cut = dict(arrays)
    cut["obs"][0, 8:] = np.nan
    cut["obs"][1, 8:] = np.nan  # not observed, and foreseen
    for name in ("mean", "var"):
        cut[name][0, 7:] = np.nan
    np.savez(tmp_path / "predictions.npz", **cut)
    plot_predictions(tmp_path, tmp_path / "p.png")
    (over, _, columns), (unseen, _, _) = drawn
    assert columns[1:] == [f"+{step} min" for step in range(1, 9)]  # five of 13 rows are context
    assert (over[:, 4:] == 1).all()
    assert (over[0, :4] != 1).any()
    np.testing.assert_allclose(unseen[0, 4:], np.broadcast_to(GAP, unseen[0, 4:].shape))
    assert (unseen[1, 4:] != 1).any()
