"""Draw the pictures of docs/data.md: what each generated set shows, including hidden quantities.

    python docs/pictures.py [NAME ...]

Without names all are drawn, into this folder. It needs `pip install "mts3[sim]"` and takes a minute or two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from drawing import (
    EARLY_TO_LATE,
    add_labels,
    add_legend,
    add_scale,
    draw_bodies,
    draw_ground,
    draw_lines,
    draw_way,
    plot_maze,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mts3.data import load_dataset
from mts3.data.sets.generators import (
    arm_payload,
    bouncing_balls,
    excavator,
    excavator_machine,
    halfcheetah,
    kitchen,
    maze2d,
    mobile_robot,
    pendulum_images,
    quadrotor,
    three_scales,
    truck_load,
)
from mts3.data.sets.generators.environment import make_environment
from mts3.plot import style
from mts3.plot.frames import as_colours, draw_frames

FOLDER = Path(__file__).parent
WIDTH = 7.6  # inches
BLUE, ORANGE, _, _, BLACK, SKY = style.COLOURS
LIGHT_TO_HEAVY = (SKY, BLUE, BLACK)
SEVEN = (*style.COLOURS, style.MUTED)
FRAMES = 12
CYCLE = (1.0, 18.0)  # s, of the excavator, from one dig to the next


def maze(path: Path) -> None:
    """Three paths through the maze."""
    sample_time, rows = maze2d.RECIPES["small"].sample_time, 451
    ways = [episode.position for episode in maze2d.simulate(range(3), rows)]
    plot_maze(maze2d.maze_walls(), ways, path, sample_time, maze2d.BALL_RADIUS)


def cheetah(path: Path) -> None:
    """The cheetah as it runs, some of its channels, and the returns of episodes."""
    recipe = halfcheetah.SETS["halfcheetah-linear-medium"]["small"]
    (episode,) = halfcheetah.make_episodes(recipe, range(1), 0)
    start, rows = 200, 81
    obs = episode.obs[start : start + rows]
    times = recipe.sample_time * np.arange(rows)
    figure = style.new_figure(WIDTH, 4.3, style.SCREEN)
    axes = figure.subplot_mosaic("sss;aah;vvh", height_ratios=(1.0, 1.2, 1.0))
    _stride(axes["s"], obs[:7], recipe.sample_time)
    shown = ("back_thigh", "front_thigh", "pitch")
    draw_lines(axes["a"], times, obs[:, [recipe.obs_names.index(name) for name in shown]], _plain(shown))
    add_labels(axes["a"], y="rad")
    draw_lines(axes["v"], times, obs[:, [recipe.obs_names.index("forward_velocity")]])
    add_labels(axes["v"], "forward velocity", "time (s)", "m/s")
    earned: dict[str, list[float]] = {"medium": [], "expert": []}
    for trajectory in load_dataset("halfcheetah_mixed").trajectories:
        assert trajectory.reward is not None
        earned[trajectory.name.rpartition("_")[2]].append(float(np.nansum(trajectory.reward)))
    style.clean(axes["h"])
    axes["a"].tick_params(labelbottom=False)
    axes["h"].hist(list(earned.values()), bins=16, color=[BLUE, ORANGE], label=list(earned), stacked=True)
    add_legend(axes["h"])
    add_labels(axes["h"], x="return of an episode", y="episodes of halfcheetah_mixed")
    style.save(figure, path)


def _stride(axes: Axes, obs: np.ndarray, sample_time: float) -> None:
    """The bodies of the simulator's own model, one row beside the other."""
    apart = 1.7  # m
    simulator = make_environment("HalfCheetah-v5").unwrapped
    model, data = simulator.model, simulator.data
    rods = [number for number in range(model.ngeom) if model.geom(number).name != "floor"]
    for row, seen in enumerate(obs):
        simulator.set_state(np.r_[apart * row, seen[:8]], np.zeros(9))
        along = data.geom_xmat[rods].reshape(-1, 3, 3)[:, :, 2] * model.geom_size[rods, 1:2]
        ends = np.stack([data.geom_xpos[rods] - along, data.geom_xpos[rods] + along], 1)[..., [0, 2]]
        draw_bodies(axes, ends, float(model.geom_size[rods[0], 0]), EARLY_TO_LATE(row / (len(obs) - 1)))
    axes.axhline(0.0, color=style.RULE, linewidth=1.0, zorder=0)
    axes.autoscale_view()
    axes.set_axis_off()
    add_labels(axes, f"one stride, {sample_time:g} s from one row to the next")


def in_the_kitchen(path: Path) -> None:
    """The progress of each task over time, and the joints of the arm."""
    recipe = kitchen.RECIPES["small"]
    demonstrations = kitchen.demonstrate(range(4), recipe.rows)
    times = recipe.sample_time * np.arange(recipe.rows)
    figure = style.new_figure(WIDTH, 4.2, style.SCREEN)
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(1.4, 1.0))
    for column, number in enumerate((0, 3)):
        top, bottom = axes[:, column]
        _tasks(top, times, demonstrations[number], recipe.obs_names)
        draw_lines(bottom, times, demonstrations[number].obs[:, :7], colours=SEVEN, width=0.9)
        add_labels(bottom, x="time (s)", y="" if column else "joints of the arm (rad)")
    add_labels(axes[0, 0], y="progress of a task")
    style.save(figure, path)


def _tasks(axes: Axes, times: np.ndarray, shown: kitchen.Demonstration, names: tuple[str, ...]) -> None:
    """The progress of each task; a dot where a task that the script reports is done."""
    for colour, (name, task) in zip(style.COLOURS, kitchen.TASKS.items(), strict=False):
        joint = shown.obs[:, names.index("kettle_y" if name == "kettle" else task.joint)]
        share = (joint - joint[0]) / (task.moved - joint[0])
        draw_lines(axes, times, share[:, None], colours=(colour,))
        if name in shown.done:
            row = int(np.argmax(share >= 1.0))
            axes.plot(times[row], share[row], "o", color=colour, markersize=5)
            # By turns higher and lower, since one may end soon after another.
            height = 1.13 + 0.1 * (shown.done.index(name) % 2)
            axes.text(times[row], height, name, color=colour, fontsize=style.SMALL, ha="center")
    axes.set_ylim(-0.05, 1.32)


def robot(path: Path) -> None:
    """Three drives, each over other hills, and roll and pitch of the robot."""
    recipe = mobile_robot.RECIPES["small"]
    drives = mobile_robot.simulate(range(20), recipe.rows)
    shown = sorted(drives, key=_winding)[-3:]
    figure, top, bottom = _above_and_below([drive.position[:, :2] for drive in shown])
    times = recipe.sample_time * np.arange(recipe.rows)
    for above, below, drive in zip(top, bottom, shown, strict=True):
        draw_ground(above, drive.height, mobile_robot.HALF_SIDE)
        labels = ("roll", "pitch") if below is bottom[0] else ()
        draw_lines(below, times, np.degrees(drive.attitude[:, :2]), labels, (BLUE, ORANGE))
        add_labels(below, x="time (s)", y="degrees" if below is bottom[0] else "")
    add_labels(top[0], "path over the hills, from above")
    add_scale(top[0], 1.0, "1 m")
    style.save(figure, path)


def _winding(drive: mobile_robot.Drive) -> float:
    """How wide the path is across its length, m."""
    way = drive.position[:, :2] - drive.position[:, :2].mean(0)
    return float(np.linalg.svd(way, compute_uv=False)[-1])


def flights(path: Path) -> None:
    """A light, a medium and a heavy quadrotor: their set points and their flights."""
    recipe = quadrotor.RECIPES["small"]
    made = quadrotor.simulate(range(30), recipe.rows)
    order = np.argsort(made.mass)
    shown = order[[0, len(order) // 2, -1]]
    figure, top, bottom = _above_and_below(list(made.obs[shown, :, :2]))
    times = recipe.sample_time * np.arange(recipe.rows)
    for above, below, episode in zip(top, bottom, shown, strict=True):
        wanted, flown = made.set_point[episode], made.obs[episode]
        above.plot(*wanted[:, :2].T, color=style.PERSISTENCE, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
        add_labels(above, f"{made.mass[episode]:.2f} kg, hidden")
        labels = ("set point", "flown") if below is bottom[0] else ()
        draw_lines(below, times, np.stack([wanted[:, 2], flown[:, 2]], 1), labels, (style.PERSISTENCE, BLUE))
        add_labels(below, x="time (s)", y="height (m)" if below is bottom[0] else "")
    add_scale(top[0], 1.0, "1 m")
    style.save(figure, path)


def _above_and_below(ways: list[np.ndarray]) -> tuple[Figure, list[Axes], list[Axes]]:
    """Paths from above, side by side at one scale, and empty axes below them with one scale in y."""
    figure = style.new_figure(WIDTH, 4.2, style.SCREEN)
    grid = figure.add_gridspec(2, len(ways), height_ratios=(2.0, 1.0))
    top = [figure.add_subplot(grid[0, column]) for column in range(len(ways))]
    bottom: list[Axes] = []
    for column in range(len(ways)):
        bottom.append(figure.add_subplot(grid[1, column], sharey=bottom[0] if bottom else None))
    half_side = 0.58 * max(np.ptp(way, axis=0).max() for way in ways)
    for axes, way in zip(top, ways, strict=True):
        draw_way(axes, way, half_side)
    return figure, top, bottom


def digging(path: Path) -> None:
    """One cycle of the arm from the side; the angles, and the soil in the bucket."""
    recipe = excavator.RECIPES["small"]
    made = excavator.simulate(range(1), recipe.rows)
    times = recipe.sample_time * np.arange(recipe.rows)
    arm = excavator_machine.arm_at(made.true_angle[0].T)
    places = np.stack([arm.reach, arm.height], -1)  # (4, T, 2)
    figure = style.new_figure(WIDTH, 3.7, style.SCREEN)
    axes = figure.subplot_mosaic("sa;sf", width_ratios=(1.5, 1.0), height_ratios=(1.7, 1.0))
    first, last = (int(seconds / recipe.sample_time) for seconds in CYCLE)
    _arm_from_the_side(axes["s"], places[:, first:last], every=(last - first) // 7)
    draw_lines(axes["a"], times, made.angle[0], recipe.obs_names)
    add_labels(axes["a"], y="angle (rad)")
    draw_lines(axes["f"], times, made.fill[0][:, None], colours=(style.MUTED,))
    axes["f"].fill_between(times, made.fill[0], color=style.RULE, linewidth=0)
    add_labels(axes["f"], x="time (s)", y="soil (m³), hidden")
    for panel in (axes["a"], axes["f"]):
        panel.axvspan(*CYCLE, color=style.SHADE, zorder=0)
    style.save(figure, path)


def _arm_from_the_side(axes: Axes, places: np.ndarray, every: int) -> None:
    """The ground, the path of the bucket's tip, and the arm at some moments.

    `places` (4, T, 2) m are those of boom pivot, stick pivot, bucket pivot and tip.
    """
    count = places.shape[1]
    for moment in range(0, count, every):
        points = places[:, moment]
        ends = np.stack([points[:-1], points[1:]], 1)
        draw_bodies(axes, ends, 0.09, EARLY_TO_LATE(moment / count)).set_alpha(0.75)
    draw_bodies(axes, np.array([[[-1.9, 0.5], [0.9, 0.5]]]), 0.5, style.MUTED)
    draw_bodies(axes, np.array([[[-1.4, 1.8], [0.0, 1.8]]]), 0.7, style.RULE)
    tip = draw_way(axes, places[3], 1.0)
    tip.set_linewidth(1.2)
    axes.axhspan(-9.0, 0.0, color="#ece5da", zorder=-1)
    axes.set_xlim(-2.6, 10.2)
    axes.set_ylim(-1.9, 6.9)
    axes.set_axis_off()
    add_labels(axes, f"one cycle of {CYCLE[1] - CYCLE[0]:g} s, from the side")


def arm(path: Path) -> None:
    """The angles of an episode, and the angles under the same torques with other payloads."""
    recipe = arm_payload.RECIPE
    made = arm_payload.simulate(3, recipe.rows)
    times = recipe.sample_time * np.arange(recipe.rows)
    light = 2  # the episode's own payload is next to nothing
    payloads = np.array([made.payload[light], arm_payload.MAX_PAYLOAD / 2, arm_payload.MAX_PAYLOAD])
    arms = arm_payload.build_arm(payloads)
    angle, rate = (np.tile(start[light, 0], (3, 1)) for start in (made.true_angle, made.true_rate))
    angles = []
    for torque in made.torque[light]:
        angles.append(angle)
        angle, rate = arms.advance(angle, rate, np.tile(torque, (3, 1)), recipe.sample_time, 1)
    figure = style.new_figure(WIDTH, 4.6, style.SCREEN)
    top, *others = figure.subplots(3, 1, sharex=True, height_ratios=(1.3, 1.0, 1.0))
    draw_lines(top, times, made.angle[light], _plain(recipe.obs_names), SEVEN, width=1.0)
    add_labels(top, y="rad")
    labels = [f"{payload:.1f} kg" for payload in payloads]
    for axes, joint in zip(others, (0, 3), strict=True):
        title = f"{_plain([recipe.obs_names[joint]])[0]}, under the same torques with payloads of"
        draw_lines(axes, times, np.stack(angles)[:, :, joint], labels, LIGHT_TO_HEAVY)
        add_labels(axes, title, y="rad")
    others[-1].set_xlabel("time (s)", fontsize=style.SMALL, color=style.INK)
    style.save(figure, path)


def truck(path: Path) -> None:
    """A light, a medium and a heavy truck: force and speed."""
    recipe = truck_load.RECIPES["small"]
    made = truck_load.simulate(range(40), recipe.rows)
    order = np.argsort(made.mass)
    shown = order[[0, len(order) // 2, -1]]
    times = recipe.sample_time * np.arange(recipe.rows)
    figure = style.new_figure(WIDTH, 3.2, style.SCREEN)
    axes = figure.subplots(2, len(shown), sharex=True, sharey="row", height_ratios=(1.4, 1.0))
    for column, episode in enumerate(shown):
        draw_lines(axes[0, column], times, made.speed[episode][:, None], colours=(BLUE,))
        draw_lines(axes[1, column], times, made.force[episode][:, None] / 1e3, colours=(ORANGE,), width=1.0)
        title = f"{made.mass[episode] / 1e3:.1f} t, hidden"
        add_labels(axes[0, column], title, y="" if column else "speed (m/s)")
        add_labels(axes[1, column], x="time (s)", y="" if column else "force (kN)")
    style.save(figure, path)


def scales(path: Path) -> None:
    """The hidden rotations, and the two channels that mix them."""
    state, obs, _ = three_scales.simulate(1, 600)
    steps = np.arange(600)
    titles = [
        f"{name}, period of {period:g} steps, hidden"
        for name, period in zip(three_scales.SCALES, three_scales.PERIOD, strict=True)
    ]
    titles += [f"{name}, observed: a mixture of all three with noise" for name in three_scales.RECIPE.obs_names]
    values = np.hstack([state[0, :, ::2], obs[0]])
    figure = style.new_figure(WIDTH, 4.8, style.SCREEN)
    panels = figure.subplots(len(titles), 1, sharex=True)
    for axes, title, column, colour in zip(panels, titles, values.T, (*[style.MUTED] * 3, BLUE, ORANGE), strict=True):
        draw_lines(axes, steps, column[:, None], colours=(colour,), width=0.9)
        add_labels(axes, title)
    add_labels(panels[-1], titles[-1], "step")
    style.save(figure, path)


def pendulum(path: Path) -> None:
    """Images as they are observed, and as they would be without the noise."""
    recipe = pendulum_images.RECIPE
    made = pendulum_images.simulate_pendulum(3, recipe.rows, 0, driven=True)
    steps = np.arange(0, 4 * FRAMES, 4)
    rows = [images[steps] for e in (0, 2) for images in (made.images[e], pendulum_images.draw(made.angle[e]))]
    labels = ["observed", "without noise"] * 2
    _films(path, np.stack(rows), labels, [f"{step * recipe.sample_time:.2g} s" for step in steps])


def balls(path: Path) -> None:
    """Three videos."""
    recipe = bouncing_balls.RECIPE
    videos = bouncing_balls.generate_bouncing_balls(3, recipe.rows).trajectories
    steps = np.arange(0, 4 * FRAMES, 4)
    rows = np.stack([video.obs[steps] for video in videos])
    labels = [f"episode {number}" for number in range(len(videos))]
    _films(path, rows, labels, [f"{step * recipe.sample_time:.2g} s" for step in steps])


def _films(path: Path, pixels: np.ndarray, rows: list[str], columns: list[str]) -> None:
    """Grey images (R, K, pixels) in [0, 1], in rows."""
    figure = style.new_figure(WIDTH, 0.35 + WIDTH * 0.9 * len(rows) / len(columns), style.SCREEN)
    size = pendulum_images.SIZE
    draw_frames(figure.subplots(), as_colours(pixels, (1, size, size), 0.0, 1.0), rows, columns)
    style.save(figure, path)


def _plain(names: Iterable[str]) -> list[str]:
    return [name.replace("_", " ") for name in names]


PICTURES: dict[str, Callable[[Path], None]] = {
    "arm_payload": arm,
    "bouncing_balls": balls,
    "excavator": digging,
    "halfcheetah": cheetah,
    "kitchen": in_the_kitchen,
    "maze2d": maze,
    "mobile_robot": robot,
    "pendulum_images": pendulum,
    "quadrotor": flights,
    "three_scales": scales,
    "truck_load": truck,
}


def main() -> None:
    """Draw the pictures that the command names, or all."""
    for name in sys.argv[1:] or PICTURES:
        picture = FOLDER / f"{name}.png"
        PICTURES[name](picture)
        print(f"{picture}: {picture.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
