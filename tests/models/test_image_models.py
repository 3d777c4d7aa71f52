"""Models of images keep the promises of the protocol: a fold of steps, nothing seen, causality, a copy on disk."""

import pytest
import torch

import mts3

B, T, O, A, H = 2, 7, 64, 1, 3  # noqa: E741 - the shape legend's letter


@pytest.fixture(params=["mts3", "acrkn", "rkn"])
def model(request):
    sizes = {"latent_obs_dim": 4, "encoder_hidden": 8, "decoder_hidden": 8, "image_shape": [1, 8, 8]}
    windows = {"window_len": H} if request.param == "mts3" else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mts3.build(request.param, obs_dim=O, action_dim=A, **sizes, **windows).eval()


@pytest.fixture
def sequence():
    g = torch.Generator().manual_seed(0)
    mask = torch.rand(B, T, O, generator=g) > 0.2  # pixels
    mask[:, 4] = False  # and a whole image
    return torch.randn(B, T, O, generator=g), torch.randn(B, T, A, generator=g), mask


@torch.no_grad()
def test_a_fold_of_step_is_observe_and_the_future_stays_unseen(model, sequence):
    obs, actions, mask = sequence
    whole = model(obs, actions, mask)
    assert whole.mean.shape == whole.var.shape == (B, T, O)
    state, means = model.initial_state(B), []
    for t in range(T):
        plan = actions[:, t + 1 : (t // H + 1) * H]
        pred, state = model.step(state, obs[:, t], actions[:, t], mask[:, t], planned_actions=plan)
        means.append(pred.mean)
    torch.testing.assert_close(torch.cat(means, 1), whole.mean, rtol=1e-4, atol=1e-5)
    later = obs.clone()
    later[:, 5:] += 1.0
    torch.testing.assert_close(model(later, actions, mask).mean[:, :5], whole.mean[:, :5])


@torch.no_grad()
def test_seeing_nothing_is_imagining(model, sequence):
    obs, actions, mask = sequence
    state = model.observe(obs[:, :H], actions[:, :H], mask[:, :H])[1]
    blind = model.observe(obs * torch.nan, actions, torch.zeros_like(mask), state)[0]
    assert torch.equal(blind.mean, model.imagine(state, actions).mean)


@torch.no_grad()
def test_a_copy_on_disk_knows_the_shape(model, sequence, tmp_path):
    obs, actions, mask = sequence
    model.save(tmp_path)
    assert torch.equal(mts3.load(tmp_path)(obs, actions, mask).mean, model(obs, actions, mask).mean)


def test_a_shape_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"image_shape \(1, 8, 8\) has 64 pixels, obs_dim is 4"):
        mts3.build("acrkn", obs_dim=4, action_dim=0, image_shape=[1, 8, 8])
