"""What pictures of data sets are made of: what is drawn are the values, where they belong."""

import drawing
import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from mts3.errors import UserError
from mts3.plot import style

TIMES = 0.5 * np.arange(40)
WAY = np.stack([np.linspace(1.0, 5.0, 40), np.linspace(-2.0, 0.0, 40) ** 2], 1)


@pytest.fixture
def drawn(tmp_path):
    """A figure with one axes, and how to save it: the pixels, (H, W, 3) in [0, 1]."""
    figure = style.new_figure(4.0, 3.0, style.SCREEN)

    def saved():
        return imread(style.save(figure, tmp_path / "p.png"))[..., :3]

    return figure.subplots(), saved


def test_lines_carry_the_values_and_break_at_gaps(drawn):
    axes, saved = drawn
    values = np.stack([np.sin(TIMES), np.cos(TIMES), TIMES / 20.0], 1)
    values[5:8, 1] = np.nan
    drawing.draw_lines(axes, TIMES, values, ("a", "b", "c"))
    for line, column, colour in zip(axes.lines, values.T, style.COLOURS, strict=False):
        np.testing.assert_array_equal(line.get_xdata(), TIMES)
        np.testing.assert_array_equal(line.get_ydata(), column)
        assert line.get_color() == colour
    assert axes.get_xlim() == (TIMES[0], TIMES[-1])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "c"]
    assert saved().shape == (390, 520, 3)


def test_without_labels_there_is_no_legend(drawn):
    axes, _ = drawn
    drawing.draw_lines(axes, TIMES, TIMES[:, None])
    assert axes.get_legend() is None


def test_a_way_runs_from_ring_to_disc_early_to_late_and_up_is_up(drawn):
    axes, saved = drawn
    lines = drawing.draw_way(axes, WAY, 3.0)
    segments = np.stack(lines.get_segments())
    np.testing.assert_array_equal(segments[:, 0], WAY[:-1])
    np.testing.assert_array_equal(segments[:, 1], WAY[1:])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.0, 6.0), (-1.0, 5.0))
    image = saved()
    late = (np.abs(image - drawing.EARLY_TO_LATE(1.0)[:3]) < 0.02).all(-1)
    early = (np.abs(image - drawing.EARLY_TO_LATE(0.0)[:3]) < 0.02).all(-1)
    # The way descends to the right: its end lies lower, which in rows of a picture is further down.
    (first_row, first_column), (last_row, last_column) = (np.argwhere(mask).mean(0) for mask in (early, late))
    assert first_row < last_row
    assert first_column < last_column


def test_the_higher_the_lighter_and_the_limits_stay(drawn):
    axes, saved = drawn
    x = np.linspace(-10.0, 10.0, 81)
    heights = np.where(np.abs(x) < 6.0, x, 50.0 * np.sign(x))[None].repeat(81, 0)  # a cliff outside of what is seen
    axes.set(xlim=(-5.0, 5.0), ylim=(-5.0, 5.0))
    drawing.draw_ground(axes, heights, 10.0)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-5.0, 5.0), (-5.0, 5.0))
    axes.set_axis_off()
    shades = saved()[195, 12:-12].mean(-1)
    assert (np.diff(shades) >= -1e-6).all()
    # Shades are spent on what is seen: the cliff takes none of them.
    assert len(np.unique(shades)) >= drawing.LEVELS - 1
    assert shades[-1] - shades[0] > 0.2


def test_a_scale_is_as_long_as_it_says(drawn):
    axes, _ = drawn
    axes.set(xlim=(0.0, 8.0), ylim=(0.0, 8.0))
    drawing.add_scale(axes, 2.5, "2.5 m")
    (bar,) = axes.lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(2.5)
    assert axes.texts[0].get_text() == "2.5 m"


def test_a_rod_surrounds_its_ends_by_its_radius(drawn):
    axes, _ = drawn
    ends = np.array([[[0.0, 0.0], [3.0, 4.0]], [[3.0, 4.0], [3.0, 1.0]]])
    bodies = drawing.draw_bodies(axes, ends, 0.5, "#123456")
    for path, (start, end) in zip(bodies.get_paths(), ends, strict=True):
        along = (end - start) / np.linalg.norm(end - start)
        reach = np.clip((path.vertices - start) @ along, 0.0, np.linalg.norm(end - start))
        distance = np.linalg.norm(path.vertices - (start + reach[:, None] * along), axis=1)
        np.testing.assert_allclose(distance, 0.5)  # every point of the outline, from the nearest point of the rod


def test_a_picture_has_a_palette_white_stays_white_and_bytes_repeat(tmp_path):
    def picture(name):
        figure = style.new_figure(3.0, 2.0, style.SCREEN)
        axes = figure.subplots()
        axes.imshow(np.random.default_rng(1).random((20, 30, 3)))  # more colours than a palette has
        drawing.draw_lines(axes, np.arange(30), 10 + np.sin(np.arange(30))[:, None])
        return style.save(figure, tmp_path / name)

    first, second = picture("a.png"), picture("b.png")
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (390, 260))
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels[0] == 255).all()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) <= 256


def test_each_colour_of_a_palette_is_the_commonest_of_those_it_stands_for(tmp_path, monkeypatch):
    values = np.random.default_rng(0).normal(size=(400, 6, 2)).cumsum(0)
    images = []
    for reduce in (lambda path: None, style._use_palette):
        monkeypatch.setattr(style, "_use_palette", reduce)
        figure = style.new_figure(5.0, 3.0, style.SCREEN)
        for place, axes in enumerate(figure.subplots(1, 2)):
            drawing.draw_lines(axes, np.arange(400), values[:, :, place])
        images.append(imread(style.save(figure, tmp_path / "p.png"))[..., :3])
    true, drawn = ((255 * image).round().astype(int).reshape(-1, 3) for image in images)
    assert len(np.unique(true, axis=0)) > 1000
    assert np.abs(true - drawn).mean() < 0.5
    for colour in np.unique(drawn, axis=0):
        meant, counts = np.unique(true[(drawn == colour).all(1)], axis=0, return_counts=True)
        assert counts[(meant == colour).all(1)].tolist() == [counts.max()]


@pytest.mark.parametrize("name", ["picture.xyz", "picture"])
def test_an_ending_that_is_no_format_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"ends in no format of pictures; call it picture\.png"):
        style.save(style.new_figure(2.0, 2.0), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_formats_without_pixels_are_left_as_they_are(tmp_path):
    figure = style.new_figure(2.0, 2.0)
    drawing.draw_lines(figure.subplots(), TIMES, TIMES[:, None])
    assert style.save(figure, tmp_path / "p.svg").read_bytes().startswith(b"<?xml")
