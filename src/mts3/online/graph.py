"""One step of the family in as few operations as it takes: what is small costs by the number of its operations.

The same numbers as `model.step`, up to rounding. Networks that read the same input are one network, whose unused
weights are zero; a latent's parents, side by side, go through one matrix; a belief (mean, cov) is one row of 5 D
numbers, and what an open window has gathered is another. Nothing branches on a value, so that the step can be drawn as
a graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.functional import softplus

from mts3.gaussian import Belief
from mts3.layers import GaussianDecoder, ObsEncoder
from mts3.layers.encoder import VAR_FLOOR
from mts3.models.fast_level import FastLevel
from mts3.models.slow_level import SlowLevel
from mts3.online.merged import Merged, MergedControl, joint
from mts3.types import Float, Tensor


class MergedStep(nn.Module):
    """See the head of this file. For levels of which `known.refusal` has nothing to say.

    State by name: `prior` (B, 5D), and of slow level i `slow_i_closed` (B, 5D), `slow_i_gathered`, the evidence of the
    open window: precision and information of its observations (B, 2D), then of its actions (B, 4D), and `slow_i_steps`
    (B, 1), how many steps it has.

    Args:
        fast: The fast level.
        levels: The slow levels, shortest windows first.
        obs_dim: O.
    """

    def __init__(self, fast: FastLevel, levels: Sequence[SlowLevel], obs_dim: int) -> None:
        super().__init__()
        gain = fast.marginalization.gain
        self.dim = len(gain) // 2
        longest = max((level.window_len for level in levels), default=0)
        self.count = torch.arange(longest).to(gain)[:, None]
        self.slow = [_Slow.of(level) for level in levels]
        encoders = [cast(ObsEncoder, part) for part in (fast.encoder, *(level.obs_encoder for level in levels))]
        own, width = [*range(2 * obs_dim)], 2 * obs_dim + len(levels)
        reads = [own, *([*own, 2 * obs_dim + i] for i in range(len(levels)))]
        self.encode = Merged([e.encoder.net for e in encoders], reads, width, halves=True)
        decoders = [cast(GaussianDecoder, d) for d in (fast.decoder, fast.reward_decoder) if d is not None]
        mean, cov = [*range(2 * self.dim)], [*range(2 * self.dim, 5 * self.dim)]
        nets = [net for decoder in decoders for net in (decoder.mean_net, decoder.var_net)]
        self.decode = Merged(nets, [mean, cov] * len(decoders), 5 * self.dim)
        self.outputs = {"mean": obs_dim, "var": obs_dim}
        if fast.reward_decoder is not None:
            self.outputs |= {"reward_mean": 1, "reward_var": 1}
        self.control = None if fast.control is None else MergedControl(fast.control, gain)
        self.move = joint(fast.marginalization)
        self.nothing = gain.new_zeros(())

    def initial(self, prior: Float[Tensor, "B fiveD"]) -> dict[str, Tensor]:
        """The state before anything was observed, given its belief."""
        state = {"prior": prior}
        for i, level in enumerate(self.slow):
            gathered = prior.new_zeros(len(prior), (2 if level.encode is None else 6) * self.dim)
            state |= {
                f"slow_{i}_closed": prior,
                f"slow_{i}_gathered": gathered,
                f"slow_{i}_steps": prior.new_zeros(len(prior), 1),
            }
        return state

    def forward(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs and state to predictions and the next state, by name.

        Inputs: obs (B, O), obs_mask (B, O) bool, action (B, A) unless A = 0, plan (B, n, A) if any is known.
        Outputs: mean, var (B, O), reward_mean, reward_var (B, 1) if the reward is predicted, and the state after, every
        name after `next_`.
        """
        windows = [self._window(i, given) for i in range(len(self.slow))]
        evidence = self._evidence(given["obs"], given["obs_mask"], [window.phase for window in windows])
        state, task, out = given["prior"], [], {}
        for i in reversed(range(len(windows))):
            level, window = self.slow[i], windows[i]
            prior, gathered = self._prior(level, window, evidence[i + 1], task)
            observed = gathered.split(self.dim, -1)[:2]
            if i == 0:  # the state and the task that pushes it are conditioned side by side
                both = (torch.cat(pair) for pair in zip(evidence[0], observed, strict=True))
                state, posterior = _condition(torch.cat((state, prior)), *both).split(len(prior))
            else:
                posterior = _condition(prior, *observed)
            task = [prior if level.predicted else posterior]
            steps = given[f"slow_{i}_steps"] + 1.0
            full = steps == level.window_len
            out[f"next_slow_{i}_closed"] = torch.where(full, posterior, window.closed)
            out[f"next_slow_{i}_gathered"] = torch.where(full, self.nothing, gathered)
            out[f"next_slow_{i}_steps"] = torch.where(full, self.nothing, steps)
        if not windows:
            state = _condition(state, *evidence[0])
        matrix, bias = self.move
        belief = torch.addmm(bias, torch.cat((state, *task), -1), matrix)
        if self.control is not None:
            belief = belief + self.control(given["action"])
        parts = zip(self.outputs, self.decode(belief).split([*self.outputs.values()], -1), strict=True)
        predicted = {name: softplus(part) + VAR_FLOOR if name.endswith("var") else part for name, part in parts}
        out["next_prior"] = belief
        return predicted | {f"next_{name}": out[f"next_{name}"] for name in given if f"next_{name}" in out}

    def _window(self, i: int, given: Mapping[str, Tensor]) -> _Window:
        """The open window of a level."""
        level, closed, gathered, steps = (
            self.slow[i],
            *(given[f"slow_{i}_{n}"] for n in ("closed", "gathered", "steps")),
        )
        phase = steps / level.window_len
        if level.encode is None or "plan" not in given:
            return _Window(closed, gathered, phase, given.get("action"))
        if len(closed) == 1:  # the sequence axis costs reshapes, in PyTorch and in the graph
            actions = torch.cat((given["action"], given["plan"][0]), 0)
            index = steps + self.count[: actions.shape[0]]
        else:
            actions = torch.cat((given["action"][:, None], given["plan"]), 1)
            index = steps[:, None] + self.count[: actions.shape[1]]
        inside = (index < level.window_len).to(actions.dtype)
        return _Window(closed, gathered, phase, torch.cat((actions, index / level.window_len), -1), inside)

    def _evidence(self, obs: Tensor, mask: Tensor, phases: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Evidence of the observation for each level, the fast one first: precision and information, (B, D)."""
        known = mask.to(obs.dtype)
        # where() and not a product: 0 * NaN is NaN.
        features = torch.cat((torch.where(mask, obs, self.nothing), known, *phases), -1)
        mean, raw = self.encode(features).chunk(2, -1)
        precision = known.amax(-1, keepdim=True) / (softplus(raw) + VAR_FLOOR)
        return list(zip(precision.split(self.dim, -1), (precision * mean).split(self.dim, -1), strict=True))

    def _prior(
        self, level: _Slow, window: _Window, observed: tuple[Tensor, Tensor], above: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The task before it is conditioned, and all that its window has gathered."""
        new, actions = [*observed], []
        if level.encode is not None and window.actions is not None:
            if window.inside is None:
                counted = now = self._of_actions(level.encode, torch.cat((window.actions, window.phase), -1))
            elif len(window.closed) == 1:
                each = self._of_actions(level.encode, window.actions)
                counted, now = window.inside.mT @ each, each[:1]
            else:
                flat = self._of_actions(level.encode, window.actions.flatten(0, 1))
                each = flat.unflatten(0, window.actions.shape[:2])
                counted, now = (window.inside.mT @ each)[:, 0], each[:, 0]
            precision, information = (window.gathered[:, 2 * self.dim :] + counted).chunk(2, -1)
            var = (1.0 + precision).reciprocal()
            actions, new = [var * information, var], [*new, now]
        matrix, bias = level.move
        prior = torch.addmm(bias, torch.cat((window.closed, *actions, *above), -1), matrix)
        return prior, window.gathered + torch.cat(new, -1)

    def _of_actions(self, encode: Merged, features: Float[Tensor, "N I"]) -> Float[Tensor, "N fourD"]:
        """Precision and information of single actions."""
        mean, raw = encode(features).chunk(2, -1)
        precision = (softplus(raw) + VAR_FLOOR).reciprocal()
        return torch.cat((precision, precision * mean), -1)


@dataclass(frozen=True)
class _Window:
    """An open window at a step.

    Attributes:
        closed: The posterior of the window before, (B, 5D).
        gathered: What this one has gathered, (B, 2D or 6D).
        phase: Of this step, (B, 1).
        actions: The action of this step, (B, A); with a plan, also those planned, each with its phase, (B, N, A + 1),
            of a single sequence (N, A + 1).
        inside: (B, N, 1) or (N, 1), 0 for a planned action beyond the window, else 1; None without a plan.
    """

    closed: Tensor
    gathered: Tensor
    phase: Tensor
    actions: Tensor | None = None
    inside: Tensor | None = None


@dataclass(frozen=True)
class _Slow:
    """What is made of a slow level.

    Attributes:
        window_len: H.
        predicted: Whether the level below sees the window's prior; else it sees what is conditioned.
        encode: The network of the action encoder.
        move: Matrix and bias of the task given its parents.
    """

    window_len: int
    predicted: bool
    encode: Merged | None
    move: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, level: SlowLevel) -> _Slow:
        """From a level."""
        encode = None
        if level.action_encoder is not None:
            net = level.action_encoder.encoder.net
            width = cast(nn.Linear, net[0]).in_features
            encode = Merged([net], [[*range(width)]], width)
        move = joint(level.marginalization, with_actions=encode is not None)
        return cls(level.window_len, level.task_belief == "predicted", encode, move)


def row(belief: Belief) -> Float[Tensor, "B fiveD"]:
    """A belief as a row."""
    return torch.cat((belief.mean, belief.cov), -1)


def belief_of(row: Float[Tensor, "B fiveD"]) -> Belief:
    """The inverse of `row`."""
    dim = row.shape[-1] // 5
    return Belief(row[:, : 2 * dim], row[:, 2 * dim :])


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
