"""The two models that are fitted without gradients keep the promises of every model."""

import numpy as np
import torch

from mts3.models import Persistence
from tests.models.conformance import A, B, CausalConformance, H, O, sequence
from tests.models.messages import Messages


class ClosedFormConformance(CausalConformance):
    def build(self, action_dim: int = A):
        """Buffers at generic values; small enough for rollouts to stay."""
        model = super().build(action_dim)
        g = torch.Generator().manual_seed(1)
        for name, buffer in model.named_buffers():
            random = torch.rand(buffer.shape, generator=g, dtype=buffer.dtype)
            buffer.copy_(0.1 + random if name == "var_by_age" else 0.1 * (random - 0.5))
        return model


class TestLinear(Messages, ClosedFormConformance):
    name = "linear"
    arguments = {"lags": 3, "max_age": H + 1}  # noqa: RUF012


class TestPersistence(ClosedFormConformance):
    name = "persistence"
    arguments = {"max_age": H + 1}  # noqa: RUF012
    uses_actions = False


def test_persistence_holds_the_last_value_seen_of_each_dimension():
    obs, actions, _ = sequence(15)
    mask = torch.rand(obs.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    model = Persistence(O, A, max_age=4).double()
    model.var_by_age.copy_(torch.arange(1.0, 5.0)[:, None].expand(4, O))
    pred = model(obs, actions, mask)
    for b, t, o in np.ndindex(B, 15, O):
        seen = [s for s in range(t + 1) if mask[b, s, o]]
        assert pred.mean[b, t, o] == (obs[b, seen[-1], o] if seen else 0.0)
        assert pred.var[b, t, o] == (min(t - seen[-1], 3) + 1 if seen else 4)
