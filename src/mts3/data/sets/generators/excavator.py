"""A simulated excavator that digs, lifts, swings and dumps, driven by the levers of a simulated operator.

Observed are the four joint angles alone. Hidden are their rates, the openings of the valves, the soil in the bucket,
and the hardness of the soil, which is constant in an episode. `excavator_machine` has the mechanics.

The operator looks at the arm and moves each lever towards where the joint should be next, as fast as the mood of the
moment allows; hands are slow and tremble. A cycle has five phases; targets, haste and pauses vary from cycle to
cycle, the side to dump on and the skill from operator to operator. In the ground the boom keeps the depth of the cut.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mts3.data.sets.generators.excavator_machine import BOOM, SWING, State, advance, arm_at, at_rest
from mts3.data.sets.generators.recipe import generated, recipes

JOINTS = ("swing", "boom", "stick", "bucket")
SAMPLE_TIME = 0.02
RECIPES = recipes(
    "excavator-sim",
    dict.fromkeys(JOINTS, "rad"),
    {f"{joint}_lever": "" for joint in JOINTS},
    SAMPLE_TIME,
    "generated: simulated excavator with hidden soil",
    small=(100, 1501),
)
SUBSTEPS = 4  # Euler steps while a lever is held; ten times as many move no angle by 0.01 rad in 100 rows
ANGLE_NOISE = 1e-3  # rad, of the sensors
HARDNESS = (0.5, 1.5)

# Phases: swing (as a share of the way to the dump), boom, stick, bucket.
PHASES = ("reach", "dig", "curl", "swing", "dump")
REACH, DIG = 0, 1
TARGETS = np.array(
    [
        [0.0, 0.15, -0.95, -0.3],
        [0.0, 0.15, -1.9, -1.4],
        [0.0, 0.4, -1.9, -2.2],
        [1.0, 0.75, -1.5, -2.1],
        [1.0, 0.8, -1.0, -0.2],
    ]
)
VARIATION = 0.1  # rad, of every target
ARRIVED = 0.15  # rad from the target, all joints: the next phase begins
PATIENCE = (4.0, 8.0)  # s until it begins anyway
CYCLES = 8  # with targets of their own; then they come again
DUMP_ANGLE = (0.7, 1.9)  # rad, to either side
GAIN = (2.0, 4.0)  # lever per rad
HASTE = (0.5, 1.0)  # farthest a lever is moved
PAUSES, PAUSE = 0.15, (0.5, 2.5)  # share of phases that begin with hands off, and for how many seconds
DEPTH, DEPTH_GAIN = (0.3, 0.7), 1.5  # m, lever per m
HAND_LAG = 0.2  # s
TREMOR, TREMOR_LAG = 0.03, 0.3  # standard deviation of a lever, s


@dataclass(frozen=True)
class Episodes:
    """Everything of a simulation, hidden quantities too: E episodes of T rows.

    Attributes:
        angle: (E, T, 4) what the sensors read.
        lever: (E, T, 4) lever[t] is held from row t to row t + 1.
        true_angle, true_rate: (E, T, 4) without noise.
        fill: (E, T) m3 of soil in the bucket.
        hardness: (E,) of the soil.
    """

    angle: np.ndarray
    lever: np.ndarray
    true_angle: np.ndarray
    true_rate: np.ndarray
    fill: np.ndarray
    hardness: np.ndarray


@dataclass(frozen=True)
class Draws:
    """All that chance decides in an episode, or, stacked on the last axis, in E of them.

    Attributes:
        hardness, gain, first: () hardness of the soil, lever per rad, and the phase it begins in.
        targets: (CYCLES, 5, 4) rad.
        haste, pause, patience: (CYCLES, 5).
        depth: (CYCLES,) m.
        tremor, noise: (T, 4) white, standard normal.
    """

    hardness: np.ndarray
    gain: np.ndarray
    first: np.ndarray
    targets: np.ndarray
    haste: np.ndarray
    pause: np.ndarray
    patience: np.ndarray
    depth: np.ndarray
    tremor: np.ndarray
    noise: np.ndarray


def simulate(numbers: range, rows: int, seed: int = 0) -> Episodes:
    """Let an operator work for `rows` rows of `SAMPLE_TIME` seconds in each of the episodes `numbers`."""
    drawn = [_draw(np.random.default_rng([seed, number]), rows) for number in numbers]
    draws = Draws(*(np.stack([getattr(one, field.name) for one in drawn], -1) for field in fields(Draws)))
    operator = Operator(draws)
    state = at_rest(operator.start())
    states, levers = [], []
    for t in range(rows):
        lever = operator.levers(state, draws.tremor[t])
        states.append(state)
        levers.append(lever)
        state = advance(state, lever, draws.hardness, SAMPLE_TIME, SUBSTEPS)
    angle, rate = (_episodes_first(np.stack([getattr(s, key) for s in states])) for key in ("angle", "rate"))
    return Episodes(
        angle=angle + ANGLE_NOISE * _episodes_first(draws.noise),
        lever=_episodes_first(np.stack(levers)),
        true_angle=angle,
        true_rate=rate,
        fill=np.stack([s.fill for s in states], 1),
        hardness=draws.hardness,
    )


make_episodes = generated(
    "excavator", RECIPES, 200, simulate, lambda made: (made.angle.astype(np.float32), made.lever.astype(np.float32))
)


class Operator:
    """E operators at their levers; what each is about to do is kept from row to row."""

    def __init__(self, draws: Draws):
        self.draws = draws
        count = len(draws.first)
        self.each = np.arange(count)
        self.cycle, self.phase = np.zeros(count, int), draws.first
        self.seconds = np.zeros(count)  # in this phase
        self.hand, self.tremor = np.zeros((4, count)), np.zeros((4, count))

    def start(self) -> np.ndarray:
        """(4, E) rad: where the phase before the first one ends."""
        return self.draws.targets[0, self.phase - 1, :, self.each].T

    def levers(self, state: State, shock: np.ndarray) -> np.ndarray:
        """(4, E) positions for the next row, seeing the arm as it is now; `shock` (4, E) moves the tremor."""
        self._move_on(state)
        now = (self.cycle, self.phase)
        target, draws = self._target(), self.draws
        wanted = draws.gain * (target - state.angle)
        too_deep = -arm_at(state.angle).height[3] - draws.depth[self.cycle, self.each]
        wanted[BOOM] += np.where(self.phase == DIG, DEPTH_GAIN * np.maximum(too_deep, 0.0), 0.0)
        farthest = draws.haste[(*now, self.each)]
        hands_off = self.seconds < draws.pause[(*now, self.each)]
        wanted = np.where(hands_off, 0.0, np.clip(wanted, -farthest, farthest))
        self.hand = self.hand + SAMPLE_TIME / HAND_LAG * (wanted - self.hand)
        keep = 1.0 - SAMPLE_TIME / TREMOR_LAG
        self.tremor = keep * self.tremor + np.sqrt(1.0 - keep**2) * TREMOR * shock
        self.seconds = self.seconds + SAMPLE_TIME
        return np.clip(self.hand + self.tremor, -1.0, 1.0)

    def _target(self) -> np.ndarray:
        return self.draws.targets[self.cycle, self.phase, :, self.each].T

    def _move_on(self, state: State) -> None:
        """Begin the next phase where this one's target is reached, or patience is over."""
        arrived = (np.abs(self._target() - state.angle) < ARRIVED).all(0)
        done = arrived | (self.seconds > self.draws.patience[self.cycle, self.phase, self.each])
        self.phase = np.where(done, (self.phase + 1) % len(PHASES), self.phase)
        self.cycle = np.where(done & (self.phase == REACH), (self.cycle + 1) % CYCLES, self.cycle)
        self.seconds = np.where(done, 0.0, self.seconds)


def _draw(rng: np.random.Generator, rows: int) -> Draws:
    """One episode's chances. The longest ones come last: a longer episode begins like a shorter one."""
    phases = (CYCLES, len(PHASES))
    hardness, gain = rng.uniform(*HARDNESS), rng.uniform(*GAIN)
    side = rng.choice([-1.0, 1.0]) * rng.uniform(*DUMP_ANGLE)
    targets = np.tile(TARGETS, (CYCLES, 1, 1))
    targets[..., SWING] *= side
    targets += VARIATION * rng.standard_normal((*phases, 4))
    pause = np.where(rng.random(phases) < PAUSES, rng.uniform(*PAUSE, phases), 0.0)
    haste, patience, depth = rng.uniform(*HASTE, phases), rng.uniform(*PATIENCE, phases), rng.uniform(*DEPTH, CYCLES)
    first = rng.integers(len(PHASES))
    white = rng.standard_normal((rows, 2, 4))
    drawn = (hardness, gain, first, targets, haste, pause, patience, depth, white[:, 0], white[:, 1])
    return Draws(*map(np.asarray, drawn))


def _episodes_first(array: np.ndarray) -> np.ndarray:
    """(T, 4, E) -> (E, T, 4)."""
    return array.transpose(2, 0, 1)
