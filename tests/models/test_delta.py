"""Difference prediction: any model inside, beliefs about observations outside."""

import pytest
import torch

import mts3
from mts3.models import DeltaTarget
from mts3.prediction import Prediction
from tests.models.conformance import A, B, CausalConformance, H, O, sequence
from tests.models.messages import Messages
from tests.models.test_acrkn import SIZES as ONE_LEVEL
from tests.models.test_mts3 import SIZES as TWO_LEVELS


class DeltaConformance(CausalConformance):
    def build(self, action_dim: int = A):
        return DeltaTarget(super().build(action_dim), torch.linspace(0.1, 0.4, O)).double().eval()


class TestDeltaMTS3(Messages, DeltaConformance):
    name = "mts3"
    window_len = H
    arguments = TWO_LEVELS


class TestDeltaAcRKN(DeltaConformance):
    name = "acrkn"
    arguments = ONE_LEVEL


class TestDeltaGRU(DeltaConformance):
    name = "gru"


class TestDeltaTransformerAR(DeltaConformance):
    name = "transformer_ar"
    arguments = {"width": 8, "heads": 2, "layers": 1, "decoder_hidden": 8}  # noqa: RUF012


@pytest.mark.parametrize("training", [False, True])
def test_a_model_that_feeds_back_is_fed_observations(training):
    """In a gap its next input is the level, as if it had been observed; only the mask tells."""
    model = TestDeltaTransformerAR().build().train(training)
    obs, actions, _ = sequence(4)
    mask = torch.ones(B, 4, dtype=torch.bool)
    mask[:, 2] = False
    inner = model.model
    fed = []
    features = inner._features
    inner._features = lambda *args: fed.append(args[4]) or features(*args)
    pred = model(obs, actions, mask)
    standing_in = fed[-1][:, 2] if training else fed[1][:, 0]
    torch.testing.assert_close(standing_in, pred.mean[:, 1], rtol=1e-6, atol=1e-8)


@pytest.fixture
def model():
    return TestDeltaMTS3().build()


def test_changes_add_up_across_gaps_of_each_dimension(model):
    """Against the definition, one value at a time."""
    obs, actions, _ = sequence(2 * H)
    mask = torch.rand(obs.shape, generator=torch.Generator().manual_seed(3)) < 0.5
    pred: Prediction = model(obs, actions, mask)
    change = model.model(obs, actions, mask)
    for b in range(B):
        for o in range(O):
            mean, var = 0.0, 1.0
            for t in range(2 * H):
                if mask[b, t, o]:
                    mean, var = obs[b, t, o], 0.0
                mean = mean + model.scale[o] * change.mean[b, t, o]
                var = var + model.scale[o] ** 2 * change.var[b, t, o]
                torch.testing.assert_close(pred.mean[b, t, o], mean)
                torch.testing.assert_close(pred.var[b, t, o], var)


def test_the_loss_of_a_seen_step_is_that_of_its_change(model):
    """log N(obs[t+1]) = log N(change / scale) - log scale."""
    obs, actions, _ = sequence(H)
    pred, change = model(obs[:, :-1], actions[:, :-1]), model.model(obs[:, :-1], actions[:, :-1])
    moved = (obs[:, 1:] - obs[:, :-1]) / model.scale
    torch.testing.assert_close(pred.log_prob(obs[:, 1:]), change.log_prob(moved) - model.scale.log().sum())


@pytest.mark.parametrize("kind", [TestDeltaMTS3, TestDeltaTransformerAR])
def test_what_is_saved_comes_back_as_a_model_of_changes(kind, tmp_path):
    model = kind().build().float()
    model.save(tmp_path)
    loaded = mts3.load(tmp_path)
    assert isinstance(loaded, DeltaTarget)
    assert loaded.name == kind.name
    assert torch.equal(loaded.scale, model.scale)
    obs, actions, mask = sequence(H)
    assert torch.equal(loaded(obs.float(), actions.float(), mask).mean, model(obs.float(), actions.float(), mask).mean)
