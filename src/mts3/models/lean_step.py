"""One step of MTS3 in as few operations as it takes: what is small costs by the number of its operations.

The same numbers as the levels' own `step`, up to rounding. Networks that read the same input are one network, whose
unused weights are zero; a latent's parents, side by side, go through one matrix; a belief (mean, cov) is one row of
5 D numbers, and what an open window has gathered is another. For one sequence, linear transitions, flat observations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.functional import softplus

from mts3.gaussian import Belief, Evidence
from mts3.layers import GaussianDecoder, LocallyLinearTransition, ObsEncoder
from mts3.layers.encoder import VAR_FLOOR
from mts3.layers.mlp import STACKS
from mts3.models.acrkn import initial_belief
from mts3.models.fast_level import FastLevel
from mts3.models.lean_parts import Act, Merged, joint
from mts3.models.slow_level import SlowLevel, SlowState
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor


def is_lean(fast: FastLevel, levels: Sequence[SlowLevel]) -> bool:
    """Whether `LeanStep` knows these levels: linear transitions, flat observations one by one, networks as built."""
    parts = [fast, *levels]
    linear_maps = not any(isinstance(m, LocallyLinearTransition) for p in parts for m in p.marginalization.transitions)
    encoders = [fast.encoder, *(level.obs_encoder for level in levels)]
    nets = [module for part in parts for module in part.modules() if isinstance(module, nn.Sequential)]
    control = None if fast.control is None else fast.control.net
    return (
        linear_maps
        and all(type(encoder) is ObsEncoder for encoder in encoders)
        and all([type(module) for module in net] == STACKS[net is control] for net in nets)
        and not any(None in module._parameters.values() for net in nets for module in net)  # a layer without a bias
    )


class LeanStep(nn.Module):
    """See the head of this file.

    Args:
        fast: The fast level.
        levels: The slow levels, shortest windows first, for all of which `is_lean`.
        obs_dim: O.
    """

    def __init__(self, fast: FastLevel, levels: Sequence[SlowLevel], obs_dim: int) -> None:
        super().__init__()
        gain = fast.marginalization.gain
        longest = max((level.window_len for level in levels), default=0)
        count = torch.arange(longest).to(gain)[:, None]
        self.dim, self.slow = len(gain) // 2, [_Slow.of(level, count) for level in levels]
        encoders = [cast(ObsEncoder, part) for part in (fast.encoder, *(level.obs_encoder for level in levels))]
        own, width = [*range(2 * obs_dim)], 2 * obs_dim + len(levels)
        reads = [own, *([*own, 2 * obs_dim + i] for i in range(len(levels)))]
        self.see = Merged([e.encoder.net for e in encoders], reads, width, halves=True)
        decoders = [cast(GaussianDecoder, d) for d in (fast.decoder, fast.reward_decoder) if d is not None]
        mean, cov = [*range(2 * self.dim)], [*range(2 * self.dim, 5 * self.dim)]
        nets = [net for decoder in decoders for net in (decoder.mean_net, decoder.var_net)]
        self.tell = Merged(nets, [mean, cov] * len(decoders), 5 * self.dim)
        self.told = [obs_dim, obs_dim, 1, 1][: 2 * len(decoders)]
        self.act = None if fast.control is None else Act(fast.control, gain)
        self.move = joint(fast.marginalization)
        self.nothing = gain.new_zeros(())

    def initial(self) -> dict[str, Tensor]:
        """The state of `forward` before anything was observed."""
        prior = _packed(initial_belief(1, self.dim, self.nothing))
        state = {"prior": prior}
        for i, level in enumerate(self.slow):
            gathered = prior.new_zeros(1, (2 if level.act is None else 6) * self.dim)
            state |= {
                f"slow_{i}_closed": prior,
                f"slow_{i}_gathered": gathered,
                f"slow_{i}_steps": prior.new_zeros(1, 1),
            }
        return state

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """A step without branches, for export: inputs to predictions and the next state, by name, see `mts3.export`.

        State: `prior` (1, 5D), and of slow level i `slow_i_closed` (1, 5D), `slow_i_gathered`, the evidence of the open
        window: precision and information of its observations (1, 2D), then of its actions (1, 4D), and `slow_i_steps`
        (1, 1), how many steps it has.
        """
        windows = []
        for i, level in enumerate(self.slow):
            closed, gathered, steps = (given[f"slow_{i}_{name}"] for name in ("closed", "gathered", "steps"))
            if level.act is None:
                windows.append(_Window(closed, gathered, steps / level.window_len))
                continue
            acts = torch.cat((given["action"], given["plan"][0]), 0)
            index = steps + level.count[: acts.shape[0]]
            inside = (index < level.window_len).to(acts.dtype).T
            windows.append(_Window(closed, gathered, index / level.window_len, acts, inside))
        belief, told, after = self._advance(
            given["prior"], windows, given["obs"], given["obs_mask"], given.get("action")
        )
        out = {**dict(zip(("mean", "var", "reward_mean", "reward_var"), told, strict=False)), "next_prior": belief}
        for i, (level, window, (posterior, gathered)) in enumerate(zip(self.slow, windows, after, strict=True)):
            steps = given[f"slow_{i}_steps"] + 1.0
            full = steps == level.window_len
            out[f"next_slow_{i}_closed"] = torch.where(full, posterior, window.closed)
            out[f"next_slow_{i}_gathered"] = torch.where(full, self.nothing, gathered)
            out[f"next_slow_{i}_steps"] = torch.where(full, self.nothing, steps)
        return out

    def step(
        self,
        prior: Belief,
        slow: Sequence[SlowState],
        obs: Float[Tensor, "1 O"],
        action: Float[Tensor, "1 A"],
        obs_mask: Bool[Tensor, "1 O"],
        plan: Float[Tensor, "1 n A"] | None,
    ) -> tuple[Prediction, Belief, tuple[SlowState, ...]]:
        """A step of `MTS3`: the prediction, and the prior and slow states after it."""
        known = action if plan is None else torch.cat((action, plan[0]), 0)
        windows = []
        for level, state in zip(self.slow, slow, strict=True):
            acts = known[: level.window_len - state.steps]
            phases = level.phases[state.steps : state.steps + len(acts)]
            windows.append(_Window(_packed(state.closed), _gathered(state), phases, acts))
        belief, told, after = self._advance(_packed(prior), windows, obs, obs_mask, action)
        states = zip(self.slow, slow, after, strict=True)
        opened = tuple(_after(level.level, state, *found) for level, state, found in states)
        fields = [values.unsqueeze(1) for values in told]
        reward = Prediction(fields[2], fields[3]) if fields[2:] else None
        return Prediction(fields[0], fields[1], reward), _belief(belief), opened

    def _advance(
        self, prior: Tensor, windows: Sequence[_Window], obs: Tensor, mask: Tensor, action: Tensor | None
    ) -> tuple[Tensor, list[Tensor], list[tuple[Tensor, Tensor]]]:
        """The belief about the next state, mean and variance of the observation, then of the reward, and of each
        window the posterior and what it has gathered.
        """
        seen = self._seen(obs, mask, [window.phases[:1] for window in windows])
        task: list[Tensor] = []
        after: list[tuple[Tensor, Tensor]] = []
        state = prior
        for i in reversed(range(len(windows))):
            believed, gathered, evidence = self._window(self.slow[i], windows[i], seen[i + 1], task)
            if i == 0:  # the state and the task that pushes it are conditioned side by side
                both = torch.cat((seen[0][0], evidence[0])), torch.cat((seen[0][1], evidence[1]))
                state, posterior = _condition(torch.cat((prior, believed)), *both).split(1)
            else:
                posterior = _condition(believed, *evidence)
            task = [believed if self.slow[i].level.task_belief == "predicted" else posterior]
            after.insert(0, (posterior, gathered))
        if not windows:
            state = _condition(prior, *seen[0])
        matrix, bias = self.move
        belief = torch.addmm(bias, torch.cat((state, *task), -1), matrix)
        if self.act is not None and action is not None:
            belief = belief + self.act(action)
        parts = self.tell(belief).split(self.told, -1)
        return belief, [softplus(part) + VAR_FLOOR if i % 2 else part for i, part in enumerate(parts)], after

    def _seen(self, obs: Tensor, mask: Tensor, phases: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """What the observation tells each level, the fast one first: precision and information, (1, D)."""
        known = mask.to(obs.dtype)
        # where() and not a product: 0 * NaN is NaN.
        features = torch.cat((torch.where(mask, obs, self.nothing), known, *phases), -1)
        mean, raw = self.see(features).chunk(2, -1)
        precision = known.amax(-1, keepdim=True) / (softplus(raw) + VAR_FLOOR)
        return list(zip(precision.split(self.dim, -1), (precision * mean).split(self.dim, -1), strict=True))

    def _window(
        self, level: _Slow, window: _Window, seen: tuple[Tensor, Tensor], above: list[Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """The task before it is conditioned, all that its window has gathered, and of that what was observed."""
        new, pushed = [*seen], []
        if level.act is not None and window.acts is not None:
            mean, raw = level.act(torch.cat((window.acts, window.phases), -1)).chunk(2, -1)
            precision = (softplus(raw) + VAR_FLOOR).reciprocal()
            evidence = torch.cat((precision, precision * mean), -1)
            counted = evidence.sum(0, keepdim=True) if window.inside is None else window.inside @ evidence
            precision, information = (window.gathered[:, 2 * self.dim :] + counted).chunk(2, -1)
            var = (1.0 + precision).reciprocal()
            pushed, new = [var * information, var], [*new, evidence[:1]]
        gathered = window.gathered + torch.cat(new, -1)
        matrix, bias = level.move
        prior = torch.addmm(bias, torch.cat((window.closed, *pushed, *above), -1), matrix)
        precision, information, *_ = gathered.split(self.dim, -1)
        return prior, gathered, (precision, information)


@dataclass(frozen=True)
class _Window:
    """An open window at a step.

    Attributes:
        closed: The posterior of the window before, (1, 5D).
        gathered: What this one has gathered, (1, 2D or 6D).
        phases: Of this step and those planned, (N, 1).
        acts: The action of this step and those planned, (N, A); None without actions.
        inside: (1, N), 0 for a planned action beyond the window, else 1; None if there is none.
    """

    closed: Tensor
    gathered: Tensor
    phases: Tensor
    acts: Tensor | None = None
    inside: Tensor | None = None


@dataclass(frozen=True)
class _Slow:
    """What is made of a slow level.

    Attributes:
        window_len: H.
        level: The level itself.
        act: The network of the action encoder.
        move: Matrix and bias of the task given its parents.
        count: 0, 1, 2, ... as a column, enough for the longest plan.
        phases: `count` / H.
    """

    window_len: int
    level: SlowLevel
    act: Merged | None
    move: tuple[Tensor, Tensor]
    count: Tensor
    phases: Tensor

    @classmethod
    def of(cls, level: SlowLevel, count: Tensor) -> _Slow:
        """From a level."""
        encoder, length = level.action_encoder, level.window_len
        act = None
        if encoder is not None:
            net = encoder.encoder.net
            width = cast(nn.Linear, net[0]).in_features
            act = Merged([net], [[*range(width)]], width)
        move = joint(level.marginalization, acted=encoder is not None)
        return cls(length, level, act, move, count, count / length)


def _condition(
    prior: Float[Tensor, "N fiveD"], precision: Float[Tensor, "N D"], information: Float[Tensor, "N D"]
) -> Float[Tensor, "N fiveD"]:
    """`mts3.gaussian.condition` on rows."""
    upper_mean, lower_mean, upper_var, side, lower_var = prior.chunk(5, -1)
    gain = (1.0 + upper_var * precision).reciprocal()
    innovation = (information - precision * upper_mean) * gain
    shrunk = side * gain
    moved = torch.addcmul(upper_mean, upper_var, innovation), torch.addcmul(lower_mean, side, innovation)
    return torch.cat((*moved, upper_var * gain, shrunk, lower_var - side * shrunk * precision), -1)


def _packed(belief: Belief) -> Float[Tensor, "1 fiveD"]:
    """A belief as a row."""
    return torch.cat((belief.mean, belief.cov), -1)


def _belief(row: Float[Tensor, "1 fiveD"]) -> Belief:
    """The inverse of `_packed`."""
    dim = row.shape[-1] // 5
    return Belief(row[:, : 2 * dim], row[:, 2 * dim :])


def _gathered(state: SlowState) -> Tensor:
    """What the open window has gathered as a row."""
    acted = () if state.actions is None else (state.actions.precision, state.actions.information)
    return torch.cat((state.obs.precision, state.obs.information, *acted), -1)


def _after(level: SlowLevel, before: SlowState, posterior: Tensor, gathered: Tensor) -> SlowState:
    """The state after a step: its window is closed if it is full."""
    if before.steps + 1 == level.window_len:
        return level.initial_state(_belief(posterior))
    dim, acted = before.closed.dim, before.actions is not None
    parts = gathered.split([dim, dim, 2 * dim, 2 * dim] if acted else dim, -1)
    return SlowState(before.closed, Evidence(*parts[:2]), Evidence(*parts[2:]) if acted else None, before.steps + 1)
