"""MTS3 keeps the promises of every model, in each of its variants, and some of its own."""

import pytest
import torch

import mts3
from mts3.errors import UserError
from mts3.gaussian import Belief
from mts3.layers.windows import Windows
from mts3.models.inputs import Inputs
from tests.models.conformance import A, B, CausalConformance, Conformance, H, O, assert_same, part, sequence
from tests.models.messages import Messages

SIZES = {
    "window_len": H,
    "latent_obs_dim": 6,
    "encoder_hidden": 8,
    "set_encoder_hidden": 8,
    "control_hidden": 8,
    "decoder_hidden": 8,
}


class MTS3Conformance(CausalConformance):
    name = "mts3"
    window_len = H


class TestFiltered(Messages, MTS3Conformance):
    arguments = {**SIZES, "task_belief": "filtered"}  # noqa: RUF012


class TestPredicted(MTS3Conformance):
    arguments = {**SIZES, "task_belief": "predicted", "detach_between_windows": True}  # noqa: RUF012


class TestBanded(MTS3Conformance):
    arguments = {**SIZES, "transition": "banded", "bandwidth": 1, "task_belief": "filtered"}  # noqa: RUF012


class TestModal(MTS3Conformance):
    arguments = {**SIZES, "transition": "modal"}  # noqa: RUF012


class TestWindowPosterior(Conformance):
    name = "mts3"
    window_len = H
    arguments = {**SIZES, "task_belief": "window_posterior"}  # noqa: RUF012

    def test_step_is_refused(self, model):
        obs, actions, mask = sequence(1)
        with pytest.raises(UserError, match="task_belief='filtered'"):
            model.step(model.initial_state(B), obs[:, 0], actions[:, 0], mask[:, 0])

    def test_it_sees_the_future(self, model):
        """Why it is no default: an observation at the end of a window changes the prediction at its start."""
        obs, actions, _ = sequence(2 * H)
        later = obs.clone()
        later[:, H - 1] += 1.0
        assert (model(obs, actions).mean[:, 0] != model(later, actions).mean[:, 0]).any()


def build(**changes):
    torch.manual_seed(3)
    model = mts3.MTS3(O, A, **{**SIZES, **changes}).double().eval()
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model


def test_filtered_ends_a_window_as_window_posterior():
    filtered, hindsight = build(task_belief="filtered"), build(task_belief="window_posterior")
    hindsight.load_state_dict(filtered.state_dict())
    obs, actions, mask = sequence(2 * H)
    evidence = {}
    for name, model in (("filtered", filtered), ("hindsight", hindsight)):
        full = mask[..., None].expand(-1, -1, O)
        evidence[name] = model.slow[0].observe(model.initial_state(B).slow[0], Inputs(actions, obs, full))[0].belief
    torch.testing.assert_close(evidence["filtered"].mean[:, :, -1], evidence["hindsight"].mean[:, :, 0])
    torch.testing.assert_close(evidence["filtered"].cov[:, :, -1], evidence["hindsight"].cov[:, :, 0])


def test_filtered_before_any_observation_is_predicted():
    filtered, predicted = build(task_belief="filtered"), build(task_belief="predicted")
    predicted.load_state_dict(filtered.state_dict())
    obs, actions, _ = sequence(H)
    nothing = torch.zeros(B, H, dtype=torch.bool)
    assert_same(filtered(obs, actions, nothing), predicted(obs, actions, nothing))


def test_no_influence_of_the_task_is_acrkn():
    model = build()
    coupling = model.fast.marginalization.transitions[1]
    coupling.change.data = -2 * 6 * coupling.initial
    relative = mts3.AcRKN(
        O, A, transition="dense", latent_obs_dim=6, encoder_hidden=8, control_hidden=8, decoder_hidden=8
    ).double()
    own = {name: value for name, value in model.fast.state_dict().items() if "transitions.1" not in name}
    relative.fast.load_state_dict(own)
    obs, actions, mask = sequence(2 * H + 2)
    assert_same(model(obs, actions, mask), relative(obs, actions, mask))


@pytest.mark.parametrize("window_len", [H, [H, 2 * H]])
def test_the_variance_of_the_abstract_action_widens_task_state_and_prediction(window_len):
    """The published code adds two lists here, and the variance never arrives."""
    obs, actions, _ = sequence(2 * H)
    nothing = torch.zeros(B, 2 * H, dtype=torch.bool)
    model = build(window_len=window_len)
    # A variance head that grows with every covariance field, so that what widens the state widens the prediction.
    for layer in model.fast.decoder.var_net[::2]:
        layer.weight.data.abs_()
    dim, top = model.latent_obs_dim, model.slow[-1]
    variances = []
    for certainty in (-8.0, 8.0):  # raw variance of the encoded actions, of the top level alone
        top.action_encoder.encoder.net[-1].bias.data[2 * dim :] = certainty
        pred, state = model.observe(obs, actions, nothing)
        task = state.slow[0].closed
        variances.append((task.upper_var, task.lower_var, state.prior.upper_var, state.prior.lower_var, pred.var))
    for sure, unsure in zip(*variances, strict=True):
        assert (unsure > sure).all()


def test_the_band_holds_after_training_steps():
    """The published code builds the mask and never applies it."""
    model = build(transition="banded", bandwidth=1)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    obs, actions, mask = sequence(2 * H)
    for _ in range(3):
        optimizer.zero_grad()
        (-model(obs, actions, mask).log_prob(obs)).mean().backward()
        optimizer.step()
    matrix = model.fast.marginalization.transitions[0]().mean_matrix
    index = torch.arange(6)
    far = ((index[:, None] - index[None, :]).abs() > 1).repeat(2, 2)
    assert (matrix[far] == 0).all()
    assert (matrix[~far] != 0).all()


def test_phase_is_counted_in_full_windows_also_in_a_short_last_one():
    """The published code divides by the length of the window at hand."""
    model = build()
    obs, actions, mask = sequence(2 * H)
    short, full = model(obs[:, : H + 2], actions[:, : H + 2], mask[:, : H + 2]), model(obs, actions, mask)
    assert_same(part(short, slice(None, H)), part(full, slice(None, H)))
    phases = torch.tensor([0.0, 1.0 / H], dtype=torch.float64)
    windows = Windows.of(torch.zeros(B, dtype=torch.long), H + 2, H)
    assert torch.equal(windows.phase(obs)[H:], phases)


def test_actions_of_the_open_window_are_gathered_across_calls():
    """A window split between two calls ends with all its evidence, whatever was planned meanwhile."""
    model = build()
    obs, actions, mask = sequence(H)
    state = model.observe(obs[:, :2], actions[:, :2], mask[:, :2])[1]
    state = model.observe(obs[:, 2:], actions[:, 2:], mask[:, 2:], state)[1]
    closed = model.observe(obs, actions, mask)[1].slow[0].closed
    torch.testing.assert_close(state.slow[0].closed.mean, closed.mean)
    torch.testing.assert_close(state.slow[0].closed.cov, closed.cov)
    assert state.slow[0].steps.tolist() == [0] * B


def test_detaching_changes_gradients_only():
    model, cut = build(), build(detach_between_windows=True)
    cut.load_state_dict(model.state_dict())
    obs, actions, mask = sequence(3 * H)
    gradients = []
    for m in (model, cut):
        pred = m(obs, actions, mask)
        pred.mean[:, -1].sum().backward()
        gradients.append(m.fast.control.net[-1].bias.grad)
    assert_same(model(obs, actions, mask), cut(obs, actions, mask), rtol=0, atol=0)
    assert not torch.allclose(*gradients)


def test_initial_belief():
    prior: Belief = build().initial_state(2).prior
    assert (prior.mean == 0).all()
    assert (prior.upper_var == 10).all()
    assert (prior.side == 1).all()


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("transition", "modall", "did you mean modal"),
        ("task_belief", "filterd", "did you mean filtered"),
        ("transition_init", "identiti", "did you mean identity"),
        ("window_len", 0, "window_len >= 1"),
        ("latent_obs_dim", 0, "latent_obs_dim >= 1"),
    ],
)
def test_bad_arguments_are_named(argument, value, message):
    with pytest.raises(ValueError, match=message):
        mts3.MTS3(O, A, **{**SIZES, argument: value})


class TestWithoutAbstractActions(CausalConformance):
    name = "mts3"
    arguments = {**SIZES, "abstract_action": False, "task_belief": "filtered"}  # noqa: RUF012


class TestWithoutMemory(MTS3Conformance):
    arguments = {**SIZES, "memory": False}  # noqa: RUF012

    def test_gradients_reach_every_parameter_and_no_masked_value(self, model):
        """Of what is about the lower half, which is zero, nothing is learned; all the rest is."""
        obs, actions, mask = sequence(3 * H)
        (-model(obs, actions, mask).log_prob(obs)).mean().backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters())
        idle = [name for name, p in model.named_parameters() if not (p.grad != 0).any()]
        assert idle == []

    def test_the_lower_half_stays_zero(self, model):
        obs, actions, mask = sequence(2 * H)
        state = model.observe(obs, actions, mask)[1]
        for belief in (state.prior, state.slow[0].closed):
            assert (belief.lower_mean == 0).all()
            assert (belief.side == 0).all()
            assert (belief.lower_var == 0).all()
            assert (belief.upper_var > 0).all()

    def test_modal_is_refused(self):
        with pytest.raises(UserError, match="memory=False needs transition=dense or banded"):
            mts3.MTS3(O, A, memory=False, transition="modal")
