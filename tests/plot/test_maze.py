"""The picture of a maze: read back, pixel by pixel."""

import numpy as np
import pytest
from drawing import WALL, plot_maze
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from mts3.errors import UserError

WALLS = np.pad(np.zeros((3, 4), bool), 1, constant_values=True)
WAY = np.stack([np.linspace(-1.5, 1.5, 50), np.linspace(-1.0, 1.0, 50)], -1)


def squares_of(image: np.ndarray) -> np.ndarray:
    """The part of a picture with one panel that is maze."""
    grey = is_wall(image)
    rows, columns = np.flatnonzero(grey.any(1)), np.flatnonzero(grey.any(0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def is_wall(image: np.ndarray) -> np.ndarray:
    """(H, W)."""
    return (np.abs(image[..., :3] - to_rgb(WALL)) < 0.01).all(-1)


def is_way(image: np.ndarray) -> np.ndarray:
    """(H, W) True where a pixel is much darker in some colour than walls are."""
    return image[..., :3].min(-1) < 0.6


def test_a_way_is_drawn_where_it_went_and_up_is_up(tmp_path):
    walls = WALLS.copy()
    walls[1, 1] = True  # the upper left corner
    maze = squares_of(imread(plot_maze(walls, [WAY], tmp_path / "maze.png", 0.01, 0.1)))
    height, width = maze.shape[:2]
    assert width / height == pytest.approx(6 / 5, rel=0.02)
    # Looked at beside the middle, where no way leads.
    row, column = ((np.arange(5) + 0.2) / 5 * height).astype(int), ((np.arange(6) + 0.8) / 6 * width).astype(int)
    np.testing.assert_array_equal(is_wall(maze)[np.ix_(row, column)], walls)
    row, column = np.nonzero(is_way(maze))
    # From the lower left to the upper right, ends and their discs included.
    assert np.corrcoef(row, column)[0, 1] < -0.95
    span = (np.ptp(column) + 1) / width * 6, (np.ptp(row) + 1) / height * 5
    assert span == pytest.approx((3.2, 2.2), abs=0.1)


def test_several_ways_have_a_maze_each_and_gaps_are_no_lines(tmp_path):
    gone = WAY.copy()
    gone[10:40] = np.nan
    one, gap, four = (
        imread(plot_maze(WALLS, ways, tmp_path / "maze.png", 1.0, 0.1)) for ways in ([WAY], [gone], [WAY] * 4)
    )
    assert four.shape[0] > 1.5 * one.shape[0]
    assert four.shape[1] == pytest.approx(3 * one.shape[1], abs=3)
    left, all_of_it = (is_way(squares_of(image)).sum() for image in (gap, one))
    assert 0.3 < left / all_of_it < 0.8


@pytest.mark.parametrize("ways", [[], [WAY[:, :1]], [WAY, WAY[:1]]])
def test_what_is_no_way_is_refused(tmp_path, ways):
    with pytest.raises(UserError, match=r"expected \(rows, columns\) and one or more of \(T, 2\)"):
        plot_maze(WALLS, ways, tmp_path / "maze.png", 0.01, 0.1)
    assert list(tmp_path.iterdir()) == []
