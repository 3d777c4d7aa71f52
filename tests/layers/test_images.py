"""Images to evidence and back: shapes, gaps, and refusals."""

import pytest
import torch

from mts3.gaussian import Belief
from mts3.layers import GaussianDecoder, ImageDecoder, ImageObsEncoder, ObsEncoder, make_decoder, make_obs_encoder
from mts3.layers.image import PIXEL_VAR_FLOOR

B, T, D, HIDDEN = 2, 3, 4, 8
SHAPES = [(1, 24, 24), (3, 64, 64), (2, 8, 16)]


def images(shape, seed=0, steps=T):
    return torch.randn(B, steps, shape[0] * shape[1] * shape[2], generator=torch.Generator().manual_seed(seed))


def belief(dim=D):
    g = torch.Generator().manual_seed(1)
    return Belief(torch.randn(B, T, 2 * dim, generator=g), torch.rand(B, T, 3 * dim, generator=g))


@pytest.mark.parametrize("shape", SHAPES)
def test_there_and_back(shape):
    obs = images(shape)
    evidence = ImageObsEncoder(shape, D, HIDDEN)(obs, torch.ones_like(obs, dtype=torch.bool))
    assert evidence.precision.shape == evidence.information.shape == (B, T, D)
    assert (evidence.precision > 0).all()
    pred = ImageDecoder(D, shape, HIDDEN)(belief())
    assert pred.mean.shape == pred.var.shape == obs.shape
    assert (pred.var > 0).all()


def test_steps_do_not_mix_and_the_phase_counts():
    shape = (1, 16, 16)
    encoder, obs, phase = ImageObsEncoder(shape, D, HIDDEN, with_phase=True), images(shape), torch.tensor([0.0, 0.5, 0])
    mask = torch.ones_like(obs, dtype=torch.bool)
    together = encoder(obs, mask, phase)
    mask[:, 0] = False
    alone = encoder(obs, mask, phase)
    torch.testing.assert_close(together.information[:, 1:], alone.information[:, 1:])
    same = encoder(obs[:, :1].expand(-1, T, -1), torch.ones_like(obs, dtype=torch.bool), phase)
    torch.testing.assert_close(same.precision[:, 0], same.precision[:, 2])
    assert (same.precision[:, 0] != same.precision[:, 1]).all()


def test_what_is_hidden_is_never_read_and_gets_no_gradient():
    shape = (1, 16, 16)
    encoder, obs = ImageObsEncoder(shape, D, HIDDEN), images(shape)
    mask = torch.ones_like(obs, dtype=torch.bool)
    mask[0, 1] = False  # a whole image
    mask[1, 2, 40:90] = False  # a patch
    hidden = torch.where(mask, obs, torch.nan).requires_grad_()
    evidence = encoder(hidden, mask)
    torch.testing.assert_close(encoder(obs, mask).information, evidence.information, rtol=0, atol=0)
    assert (evidence.precision[0, 1] == 0).all()
    assert (evidence.information[0, 1] == 0).all()
    (evidence.precision.sum() + evidence.information.sum()).backward()
    assert (hidden.grad[~mask] == 0).all()
    assert (hidden.grad[mask] != 0).any()
    full = encoder(obs, torch.ones_like(mask))
    assert (full.precision[1, 2] != evidence.precision[1, 2]).any()


def test_nothing_seen_at_all():
    encoder, obs = ImageObsEncoder((1, 16, 16), D, HIDDEN), images((1, 16, 16))
    evidence = encoder(obs * torch.nan, torch.zeros_like(obs, dtype=torch.bool))
    assert (evidence.precision == 0).all()
    evidence.precision.sum().backward()
    assert all((parameter.grad == 0).all() for parameter in encoder.parameters())


def test_every_pixel_moves_what_is_encoded_and_every_field_what_is_decoded():
    shape = (1, 24, 24)
    obs = images(shape, steps=1).requires_grad_()
    evidence = ImageObsEncoder(shape, D, 64)(obs, torch.ones_like(obs, dtype=torch.bool))
    (evidence.information * torch.randn_like(evidence.information)).sum().backward()
    assert (obs.grad != 0).float().mean() > 0.99
    given = belief()
    given.mean.requires_grad_()
    given.cov.requires_grad_()
    decoder = ImageDecoder(D, shape, HIDDEN)
    assert torch.autograd.grad(decoder(given).mean.sum(), given.cov, allow_unused=True)[0] is None
    for field in (given.mean, given.cov):
        assert (torch.autograd.grad(decoder(given).var.sum(), field)[0] != 0).any(-1).all()


def test_variances_have_a_floor():
    decoder = ImageDecoder(D, (1, 8, 8), HIDDEN)
    decoder.var_net[-2].bias.data.fill_(-1e3)
    assert torch.equal(decoder(belief()).var, torch.full((B, T, 64), PIXEL_VAR_FLOOR))


def test_the_shape_decides_which_layers_are_made():
    assert isinstance(make_obs_encoder(64, D, HIDDEN), ObsEncoder)
    assert isinstance(make_decoder(D, 64, HIDDEN), GaussianDecoder)
    assert isinstance(make_obs_encoder(64, D, HIDDEN, with_phase=True, image_shape=[1, 8, 8]), ImageObsEncoder)
    assert isinstance(make_decoder(D, 64, HIDDEN, image_shape=[1, 8, 8]), ImageDecoder)


@pytest.mark.parametrize(
    ("obs_dim", "shape", "message"),
    [
        (28 * 28, (1, 28, 28), r"height and width multiples of 8, as in \(1, 24, 24\), got \(1, 28, 28\)"),
        (576, (24, 24), r"got \(24, 24\)"),
        (0, (0, 24, 24), r"got \(0, 24, 24\)"),
        (576, (3, 24, 24), r"image_shape \(3, 24, 24\) has 1728 pixels, obs_dim is 576"),
    ],
)
def test_shapes_that_do_not_fit_are_named(obs_dim, shape, message):
    with pytest.raises(ValueError, match=message):
        make_obs_encoder(obs_dim, D, HIDDEN, image_shape=shape)
    with pytest.raises(ValueError, match=message):
        make_decoder(D, obs_dim, HIDDEN, image_shape=shape)
