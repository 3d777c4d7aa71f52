"""Learnable wrappers do what the mathematics says, and name what does not fit."""

import pytest
import torch

from mts3.gaussian import Belief, Evidence, condition, evidence_of
from mts3.layers import (
    Control,
    GaussianConditioning,
    GaussianDecoder,
    GaussianEncoder,
    GaussianMarginalization,
    ObsEncoder,
    ProcessNoise,
    make_transition,
)
from tests.gaussian.strategies import random_belief, random_observations

B, N, D = 2, 5, 3


def test_conditioning_is_the_formula():
    prior = random_belief(0, (B,), D)
    obs, var, mask = random_observations(0, (B, N), D)
    posterior = GaussianConditioning()(prior, obs, var, mask)
    expected = condition(prior, evidence_of(obs, var, mask).sum(1))
    assert torch.equal(posterior.mean, expected.mean)
    everything = GaussianConditioning()(prior, obs, var)
    assert (everything.upper_var < posterior.upper_var).any()


@pytest.mark.parametrize("shape", [(B, 0, D), (B, N, D + 1)])
def test_conditioning_names_a_set_that_does_not_fit(shape):
    with pytest.raises(ValueError, match=rf"expected observations \(\*batch, N >= 1, {D}\)"):
        GaussianConditioning()(random_belief(0, (B,), D), torch.zeros(shape), torch.ones(shape))


def test_marginalization_over_parents_of_different_kinds():
    layer = GaussianMarginalization(D, [make_transition(kind, D, "published") for kind in ("dense", "banded", "modal")])
    parents = [random_belief(i, (B,), D, torch.float32) for i in range(3)]
    child = layer(parents, shift=torch.ones(B, 2 * D))
    moved = [t().apply(p) for t, p in zip(layer.transitions, parents, strict=True)]
    gain = layer.gain
    torch.testing.assert_close(child.mean, moved[0].mean + gain * (moved[1].mean + moved[2].mean + 1.0))
    pushed = moved[1].cov + moved[2].cov + layer.noise()
    torch.testing.assert_close(child.cov, moved[0].cov + layer.gain[:D].square().repeat(3) * pushed)


def test_marginalization_names_missing_parents():
    layer = GaussianMarginalization(D, [make_transition("dense", D, "identity")] * 2)
    with pytest.raises(ValueError, match="expected 2 parents, one for each transition, got 1"):
        layer([random_belief(0, (B,), D, torch.float32)])


def test_process_noise_starts_at_a_tenth_and_stays_positive():
    noise = ProcessNoise(D)
    torch.testing.assert_close(noise(), torch.tensor([0.1] * D + [0.0] * D + [0.1] * D))
    noise.raw.data -= 20.0
    assert (noise()[:D] > 0).all()


def test_encoder_and_decoder_variances_have_a_floor():
    encoder, decoder = GaussianEncoder(4, D, 8), GaussianDecoder(D, 2, 8)
    encoder.net[-1].bias.data.fill_(-1e3)
    decoder.var_net[-1].bias.data.fill_(-1e3)
    assert torch.equal(encoder(torch.zeros(B, 4))[1], torch.full((B, D), 1e-4))
    belief = Belief(torch.zeros(B, 1, 2 * D), torch.zeros(B, 1, 3 * D))
    assert torch.equal(decoder(belief).var, torch.full((B, 1, 2), 1e-4))


def test_an_unobserved_step_is_no_evidence():
    encoder = ObsEncoder(4, D, 8)
    mask = torch.zeros(B, 3, 4, dtype=torch.bool)
    mask[:, 1, 2] = True
    evidence: Evidence = encoder(torch.full((B, 3, 4), torch.nan).where(~mask, torch.ones(())), mask)
    assert (evidence.precision[:, [0, 2]] == 0).all()
    assert (evidence.information[:, [0, 2]] == 0).all()
    assert (evidence.precision[:, 1] > 0).all()


def test_control_normalises_before_its_last_layer():
    control = Control(2, D, 8)
    kinds = [type(module).__name__ for module in control.net]
    assert kinds == ["Linear", "ReLU", "LayerNorm", "Linear"]
    assert control(torch.zeros(B, 7, 2)).shape == (B, 7, 2 * D)
