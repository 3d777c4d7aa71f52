"""The comparison over the horizon: gaps and diverging methods are drawn, names do not overlap."""

import csv

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from mts3.errors import UserError
from mts3.plot import plot_benchmark, style
from mts3.plot.benchmark import LABEL, _apart, _top, read_curves

STEPS = 30
MODELS = [f"model {i}" for i in range(9)]


def write_curves(folder, methods, data=("arm",), seeds=3):
    """Each method at a level of its own, with a gap in the middle; linear grows without end."""
    with (folder / "horizon.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["data", "model", "step", "seconds", "nrmse", "nrmse_std", "seeds"])
        for name in data:
            for number, method in enumerate(methods):
                for step in range(1, STEPS + 1):
                    error = 2.0**step if method == "linear" else 0.1 * (number + 1)
                    gap = 10 <= step < 13
                    std = "" if gap or seeds == 1 else 0.01
                    writer.writerow([name, method, step, step / 10, "" if gap else error, std, 0 if gap else seeds])
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were made, to look at their parts."""
    figures: list[Figure] = []

    def keep(width, height):
        figures.append(Figure(figsize=(width, height)))
        return figures[-1]

    monkeypatch.setattr(style, "new_figure", keep)
    return figures


def test_a_picture_on_white_with_a_panel_for_each_data_set(tmp_path):
    write_curves(tmp_path, [*MODELS, "linear", "persistence"], ("pam", "soil", "tiago"))
    image = imread(plot_benchmark(tmp_path, tmp_path / "horizon.png"))
    assert image.shape[0] > 800
    assert image.shape[1] > 1200
    assert image[..., :3].std() > 0.01
    np.testing.assert_allclose(image[0, 0], 1.0)
    assert not list(tmp_path.glob(".*"))


def test_a_gap_breaks_the_line_and_a_diverging_baseline_leaves_the_panel(tmp_path, drawn):
    write_curves(tmp_path, ["mts3", "acrkn", "linear", "persistence"])
    plot_benchmark(tmp_path, tmp_path / "horizon.png")
    (axes,) = drawn[0].axes
    curves = [line for line in axes.lines if len(line.get_xdata()) == STEPS]
    assert len(curves) == 4
    assert all(np.isnan(line.get_ydata()).sum() == 3 for line in curves)
    assert axes.get_ylim() == pytest.approx((0.0, 1.05 * 0.4))  # persistence, the highest that does not diverge
    assert [text.get_text() for text in axes.texts] == ["mts3", "acrkn", "persistence", "linear, up to 1.07e+09"]


def test_one_seed_has_no_band(tmp_path, drawn):
    for seeds in (1, 3):
        write_curves(tmp_path, ["mts3"], seeds=seeds)
        plot_benchmark(tmp_path, tmp_path / "horizon.png")
    areas = [axes.collections[0].get_paths() for axes in (drawn[0].axes[0], drawn[1].axes[0])]
    assert [len(paths) > 0 and any(len(path.vertices) for path in paths) for paths in areas] == [False, True]


@pytest.mark.parametrize("count", [11, 24])
def test_no_two_methods_look_alike(count):
    looks = style.method_styles([*(f"model {i}" for i in range(count)), "linear", "persistence"])
    assert len({(look["color"], look["linestyle"]) for look in looks.values()}) == count + 2
    assert looks["linear"]["color"] == style.LINEAR
    assert looks["persistence"]["color"] == style.PERSISTENCE
    assert looks["model 0"]["color"] == style.MODEL


def test_the_axis_ends_above_the_highest_curve_that_does_not_diverge():
    assert _top([0.4, 0.5, 0.9]) == pytest.approx(1.05 * 0.9)
    assert _top([0.4, 0.5, 0.9, 1e9]) == pytest.approx(1.05 * 0.9)
    assert _top([0.0]) > 0


@pytest.mark.parametrize("heights", [[0.0] * 11, [1.0] * 11, [0.1, 0.5, 0.51, 0.9], list(np.linspace(0.4, 0.6, 12))])
def test_names_are_moved_apart_and_stay_in_order(heights):
    placed = _apart(heights)
    assert (np.diff(placed) >= LABEL - 1e-9).all()
    assert min(placed) >= 0
    assert max(placed) <= 1 + 1e-9
    if len(heights) == 4:
        assert placed[0] == pytest.approx(0.1)
        assert placed[-1] == pytest.approx(0.9)


def test_methods_without_a_value_are_left_out(tmp_path):
    text = "data,model,step,seconds,nrmse,nrmse_std,seeds\narm,mts3,1,0.1,,,0\n"
    (tmp_path / "horizon.csv").write_text(text)
    with pytest.raises(UserError, match="holds no curve"):
        plot_benchmark(tmp_path, tmp_path / "horizon.png")
    (tmp_path / "horizon.csv").write_text(f"{text}arm,acrkn,1,0.1,0.5,,1\n")
    assert list(read_curves(tmp_path / "horizon.csv")["arm"]) == ["acrkn"]
    plot_benchmark(tmp_path, tmp_path / "horizon.png")


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"horizon.csv does not exist: run mts3 benchmark"):
        plot_benchmark(tmp_path, tmp_path / "horizon.png")
    for text in ("data,model\narm,mts3\n", "data,model,step,seconds,nrmse,nrmse_std\narm,mts3,1,x,1,1\n"):
        (tmp_path / "horizon.csv").write_text(text)
        with pytest.raises(UserError, match="cannot read"):
            plot_benchmark(tmp_path, tmp_path / "horizon.png")
