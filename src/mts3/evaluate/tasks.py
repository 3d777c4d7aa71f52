"""The three questions the protocol asks: each says what is visible and what is scored."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mts3.data.core.masks import context_mask, given, random_step_mask
from mts3.types import Bool, Float, Tensor

IMPUTATION_DROP_RATE = 0.5


@dataclass(frozen=True)
class Task:
    """What is visible to a method and what it is scored on.

    Attributes:
        visible: (N, T + 1), one row a test sequence. Observations that are False here never reach a method.
        scored: (N, T + 1). Always after the context, so all tasks ask about the same span.
    """

    visible: Bool[Tensor, "N T+1"]
    scored: Bool[Tensor, "N T+1"]

    def given(
        self, part: slice, obs: Float[Tensor, "B T+1 O"], actions: Float[Tensor, "B T A"]
    ) -> tuple[Float[Tensor, "B T O"], Float[Tensor, "B T A"], Bool[Tensor, "B T O"]]:
        """The arguments of `observe` for some sequences, with what is hidden overwritten by NaN.

        The mask alone would do; the NaN makes a method that reads under a False mask fail loudly.
        """
        obs, actions, mask = given(obs, actions, self.visible[part, :-1])
        return torch.where(mask, obs, torch.nan), actions, mask

    def targets(self, part: slice, obs: Float[Tensor, "B T+1 O"]) -> Float[Tensor, "B T O"]:
        """obs[1:], with NaN where nothing is scored."""
        return torch.where(self.scored[part, 1:, None], obs[:, 1:], torch.nan)


def long_horizon(sequences: int, rows: int, context_len: int) -> Task:
    """The first `context_len` observations are visible, all later ones are hidden and scored."""
    visible = context_mask(rows, context_len).expand(sequences, rows)
    return Task(visible, ~visible)


def one_step(sequences: int, rows: int, context_len: int) -> Task:
    """Everything up to t is visible, obs[t+1] is scored: the same steps as in `long_horizon`."""
    return Task(torch.ones(sequences, rows, dtype=torch.bool), ~context_mask(rows, context_len).expand(sequences, rows))


def imputation(sequences: int, rows: int, context_len: int, generator: torch.Generator) -> Task:
    """Half of the steps are missing at random; those after the context are scored, from what is visible before them."""
    visible = random_step_mask(sequences, rows, IMPUTATION_DROP_RATE, generator)
    return Task(visible, ~visible & ~context_mask(rows, context_len))
