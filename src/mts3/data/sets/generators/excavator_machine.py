"""The mechanics of a 20-tonne excavator: valves, one pump for four actuators, weight, soil.

Levers open spools, with a dead band and a lag. An open spool lets oil through an orifice,

    flow_i = opening_i * size_i * sqrt(p - load_i)    (in proportion to p - load_i where that is little),

with p the pressure of the pump and load_i what the actuator must overcome, both as a share of the highest pressure. If
the four together want more than the pump delivers, p falls until they do not: every joint slows down, and those with a
heavy load most, since oil takes the easiest way. A load that exceeds p stops its joint; one that helps is held back by
brake valves. A little oil leaks past the pistons, so that the arm sags. Machines are heavy and oil is stiff: a joint's
rate follows its flow with a short lag, and only the swing, a long arm with a full bucket, is slow to start and stop.

The soil resists a bucket's tip that moves in it, the more the deeper and the harder it is. Pulled towards the machine
the bucket fills; opened above the ground it empties. The ground closes behind the bucket: every cut finds it level.

Arrays carry the joints (swing, boom, stick, bucket) on their first axis and E machines on their last; nothing is summed
over E, and sums over joints are written out, so that a machine's numbers do not depend on how many run beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SWING, BOOM, STICK, BUCKET = range(4)
LOW = np.array([[-np.inf], [-0.8], [-2.6], [-2.6]])  # rad, end stops; the swing turns freely
HIGH = np.array([[np.inf], [1.1], [-0.5], [0.5]])

# Valves and pump.
DEAD_BAND = 0.12  # of a lever's way
SPOOL_LAG = 0.12  # s
RATE_LAG = 0.12  # s
LAMINAR = 0.05  # share of the highest pressure below which oil creeps through an orifice, in proportion
PUMP_FLOW = 7.0  # l/s
VOLUME = np.array([[3.0], [18.0], [11.0], [4.5]])  # l/rad
SIZE = VOLUME * np.array([[1.1], [0.5], [0.9], [1.5]])  # l/s through an open spool at full pressure and no load
STRENGTH = np.array([[80.0], [480.0], [180.0], [110.0]])  # kNm at full pressure
BRAKE = -0.2  # helping loads count up to here
LEAK = np.array([[0.0], [0.006], [0.006], [0.006]])  # rad/s at full load
BISECTIONS = 14  # of the pump's pressure, to 1e-4 of its range

# Arm: lengths in m, masses in t, so that weights are in kN and torques in kNm.
PIVOT_HEIGHT, PIVOT_REACH = 2.0, 0.3
LENGTH = np.array([5.7, 2.9, 1.5])
MASS = np.array([1.5, 0.8, 0.7])  # each in the middle of its link
CAB_INERTIA = 35.0  # t m2, about the swing axis
SOIL_DENSITY = 1.7  # t/m3
GRAVITY = 9.81

# Soil and bucket.
RESISTANCE = 45.0  # kN per metre of depth, in soil of hardness 1
CREEP = 0.3  # m/s, below which the soil gives way slowly
WIDTH, BUCKET_HEIGHT, CAPACITY = 1.2, 0.8, 1.0  # m, m, m3
OPEN_FROM, OPEN_AT = -1.9, -1.2  # rad, direction of the bucket where it begins to empty, and where it is open
EMPTYING = 0.6  # s


@dataclass(frozen=True)
class State:
    """What moves.

    Attributes:
        angle, rate: (4, E) rad and rad/s: the swing; the boom above the horizon; the stick against the boom, 0 if
            stretched; the bucket against the stick, 0 if its tip points along it.
        spool: (4, E) opening of the valves, -1 to 1.
        fill: (E,) m3 of soil in the bucket.
        dug, dumped: (E,) m3 dug from the ground, and let go of, so far; fill = dug - dumped.
    """

    angle: np.ndarray
    rate: np.ndarray
    spool: np.ndarray
    fill: np.ndarray
    dug: np.ndarray
    dumped: np.ndarray


@dataclass(frozen=True)
class Arm:
    """Where the arm is: `reach` and `height` (4, E) m of boom pivot, stick pivot, bucket pivot and tip.

    Heights are above the ground, `bucket` (E,) is the direction of the bucket against the horizon.
    """

    reach: np.ndarray
    height: np.ndarray
    bucket: np.ndarray


def at_rest(angle: np.ndarray) -> State:
    """Machines that stand still, with empty buckets."""
    zero = np.zeros_like(angle)
    return State(angle, zero, zero, zero[0], zero[0], zero[0])


def arm_at(angle: np.ndarray) -> Arm:
    """Forward kinematics of joint angles (4, E)."""
    boom = angle[BOOM]
    stick = boom + angle[STICK]
    bucket = stick + angle[BUCKET]
    reach, height = [np.full_like(boom, PIVOT_REACH)], [np.full_like(boom, PIVOT_HEIGHT)]
    for length, direction in zip(LENGTH, (boom, stick, bucket), strict=True):
        reach.append(reach[-1] + length * np.cos(direction))
        height.append(height[-1] + length * np.sin(direction))
    return Arm(np.stack(reach), np.stack(height), bucket)


def advance(state: State, lever: np.ndarray, hardness: np.ndarray, seconds: float, steps: int) -> State:
    """The state `seconds` later, in `steps` Euler steps.

    Args:
        state: Now.
        lever: (4, E) positions in [-1, 1], held; positive swings left, raises the boom, stretches stick and bucket.
        hardness: (E,) of the soil.
        seconds, steps: How long, in how many steps.
    """
    wanted = opening_of(lever)
    for _ in range(steps):
        state = _step(state, wanted, hardness, seconds / steps)
    return state


def opening_of(lever: np.ndarray) -> np.ndarray:
    """What a lever asks of its spool: nothing within the dead band, all of it at the end of its way."""
    return np.sign(lever) * np.maximum(np.abs(lever) - DEAD_BAND, 0.0) / (1.0 - DEAD_BAND)


def flow(opening: np.ndarray, load: np.ndarray) -> np.ndarray:
    """Oil (4, E) l/s to the actuators, signed, together no more than the pump delivers.

    Args:
        opening: (4, E) of the spools, -1 to 1.
        load: (4, E) torque to overcome in the positive direction, as a share of `STRENGTH`.
    """
    size, against = np.abs(opening) * SIZE, np.maximum(np.sign(opening) * load, BRAKE)

    def delivered(pressure: np.ndarray) -> np.ndarray:
        left = np.maximum(pressure - against, 0.0)
        return size * left / np.sqrt(left + LAMINAR)

    low, high = np.full_like(load[0], BRAKE), np.ones_like(load[0])
    enough = sum(delivered(high)) <= PUMP_FLOW
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_much = sum(delivered(middle)) > PUMP_FLOW
        low, high = np.where(too_much, low, middle), np.where(too_much, middle, high)
    return np.sign(opening) * delivered(np.where(enough, 1.0, low))


def _step(state: State, wanted: np.ndarray, hardness: np.ndarray, dt: float) -> State:
    arm = arm_at(state.angle)
    tip_speed = _tip_speed(arm, state.rate)
    depth = np.maximum(-arm.height[3], 0.0)
    load = (_weight(arm, state.fill) + _soil(arm, tip_speed, depth, state.fill, hardness)) / STRENGTH
    rate_wanted = flow(state.spool, load) / VOLUME - LEAK * load
    limit = np.concatenate([_swing_limit(arm, state.fill), np.full((3, len(depth)), np.inf)])
    rate = state.rate + dt * np.clip((rate_wanted - state.rate) / RATE_LAG, -limit, limit)
    free = state.angle + dt * rate
    angle = np.clip(free, LOW, HIGH)
    dug, let_go = _soil_moved(arm, tip_speed[0], depth, state.fill, dt)
    return replace(
        state,
        angle=angle,
        rate=np.where(free == angle, rate, 0.0),
        spool=state.spool + dt / SPOOL_LAG * (wanted - state.spool),
        fill=state.fill + (dug - let_go),
        dug=state.dug + dug,
        dumped=state.dumped + let_go,
    )


def _tip_speed(arm: Arm, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outwards and upwards, (E,) m/s each, from the rates of boom, stick and bucket."""
    out = up = 0.0
    for joint in range(3):
        out = out - (arm.height[3] - arm.height[joint]) * rate[1 + joint]
        up = up + (arm.reach[3] - arm.reach[joint]) * rate[1 + joint]
    return np.asarray(out), np.asarray(up)


def _weight(arm: Arm, fill: np.ndarray) -> np.ndarray:
    """(4, E) kNm that hold the arm up."""
    middle = (arm.reach[:-1] + arm.reach[1:]) / 2
    masses = [MASS[0], MASS[1], MASS[2] + SOIL_DENSITY * fill]
    torque = [np.zeros_like(fill)]
    for joint in range(3):
        moments = [GRAVITY * masses[k] * (middle[k] - arm.reach[joint]) for k in range(joint, 3)]
        torque.append(np.asarray(sum(moments)))
    return np.stack(torque)


def _soil(
    arm: Arm, tip_speed: tuple[np.ndarray, np.ndarray], depth: np.ndarray, fill: np.ndarray, hardness: np.ndarray
) -> np.ndarray:
    """(4, E) kNm that overcome the soil's force at the tip, which points against the motion there."""
    out, up = tip_speed
    force = RESISTANCE * hardness * depth * (1.0 + fill / CAPACITY) / (np.sqrt(out * out + up * up) + CREEP)
    torque = [np.zeros_like(depth)]
    for joint in range(3):
        over, above = arm.reach[3] - arm.reach[joint], arm.height[3] - arm.height[joint]
        torque.append(force * (over * up - above * out))
    return np.stack(torque)


def _swing_limit(arm: Arm, fill: np.ndarray) -> np.ndarray:
    """(1, E) rad/s2 that the swing motor can do: a stretched arm with a full bucket is slow."""
    middle = (arm.reach[:-1] + arm.reach[1:]) / 2
    arm_inertia = MASS[0] * middle[0] ** 2 + MASS[1] * middle[1] ** 2 + (MASS[2] + SOIL_DENSITY * fill) * middle[2] ** 2
    return (STRENGTH[SWING] / (CAB_INERTIA + arm_inertia))[None]


def _soil_moved(
    arm: Arm, out: np.ndarray, depth: np.ndarray, fill: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """m3 that go into the bucket and out of it in `dt`. The fuller it is, the more is pushed aside instead."""
    swept = WIDTH * np.minimum(depth, BUCKET_HEIGHT) * np.maximum(-out, 0.0)
    dug = dt * swept * (1.0 - fill / CAPACITY)
    opened = np.clip((arm.bucket - OPEN_FROM) / (OPEN_AT - OPEN_FROM), 0.0, 1.0)
    let_go = np.where(depth > 0.0, 0.0, dt / EMPTYING * opened * fill)
    return dug, let_go
