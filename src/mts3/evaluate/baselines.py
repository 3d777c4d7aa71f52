"""What every model is compared with: fitted once for all models of the same data and split."""

from __future__ import annotations

from dataclasses import dataclass

from mts3.data import SequenceDataset
from mts3.models import Linear, Persistence
from mts3.train import MOST_INPUTS, fit_linears
from mts3.types import Bool, Float, Tensor

LAGS = 5  # of the linear baseline


@dataclass(frozen=True)
class Baselines:
    """Persistence and the linear rollout, in float64 as the regression solves it.

    Attributes:
        persistence: The last value observed.
        far: The linear baseline whose ridge is the best for rollouts after the context.
        near: The one whose ridge is the best for the next step.
    """

    persistence: Persistence
    far: Linear
    near: Linear

    @classmethod
    def of(cls, train_sequences: SequenceDataset, context_len: int) -> Baselines:
        """Fitted on a training split, for rollouts that observe `context_len` steps.

        Images get fewer lags, and where a single one has too many inputs already, the weights stay zero: persistence.
        """
        sizes = train_sequences.obs_dim, train_sequences.action_dim
        lags = min(LAGS, MOST_INPUTS // sum(sizes))
        far, near = (Linear(*sizes, max(lags, 1)).double() for _ in range(2))
        if lags:
            fit_linears({context_len: far, None: near}, train_sequences)
        return cls(Persistence(*sizes, max_age=1), far, near)

    def means(
        self, linear: Linear, obs: Float[Tensor, "B T O"], actions: Float[Tensor, "B T A"], mask: Bool[Tensor, "B T O"]
    ) -> tuple[Float[Tensor, "B T O"], Float[Tensor, "B T O"]]:
        """What persistence and one of the two linear baselines predict."""
        mean = linear(obs.double(), actions.double(), mask).mean
        return self.persistence(obs, actions, mask).mean, mean.to(obs.dtype)
