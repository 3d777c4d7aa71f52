"""MTS3 keeps the promises of every model, in each of its variants, and some of its own."""

import pytest
import torch

import mts3
from mts3.errors import UserError
from mts3.gaussian import Belief
from tests.models.conformance import A, B, CausalConformance, Conformance, H, O, assert_same, part, sequence

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


class TestFiltered(MTS3Conformance):
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
        evidence[name] = model.slow[0].observe(model.initial_state(B).slow[0], obs, actions, full)[0].belief
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
    assert torch.equal(model.slow[0]._phase(0, H + 2, obs)[H:], phases)


def test_actions_of_the_open_window_are_gathered_across_calls():
    """A window split between two calls ends with all its evidence, whatever was planned meanwhile."""
    model = build()
    obs, actions, mask = sequence(H)
    state = model.observe(obs[:, :2], actions[:, :2], mask[:, :2])[1]
    state = model.observe(obs[:, 2:], actions[:, 2:], mask[:, 2:], state)[1]
    closed = model.observe(obs, actions, mask)[1].slow[0].closed
    torch.testing.assert_close(state.slow[0].closed.mean, closed.mean)
    torch.testing.assert_close(state.slow[0].closed.cov, closed.cov)
    assert state.slow[0].steps == 0


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


class TestThreeLevels(MTS3Conformance):
    window_len = 2 * H
    arguments = {**SIZES, "window_len": [H, 2 * H], "task_belief": "filtered"}  # noqa: RUF012

    @pytest.fixture(params=["filtered", "predicted"])
    def model(self, request):
        self.arguments = {**self.arguments, "task_belief": request.param}
        return self.build()

    # A boundary of a lower window alone is none: the top window's actions are planned from its start.
    @pytest.mark.parametrize("windows", [2])
    def test_splitting_at_a_window_boundary_changes_nothing(self, model, windows):
        super().test_splitting_at_a_window_boundary_changes_nothing(model, windows)


class TestFourLevels(MTS3Conformance):
    window_len = 2 * H
    arguments = {**SIZES, "window_len": [1, H, 2 * H], "transition": "modal"}  # noqa: RUF012
    open_levels = slice(1, None)  # a window of one step closes under the plan of that step, like the fast state

    @pytest.mark.parametrize("windows", [2])
    def test_splitting_at_a_window_boundary_changes_nothing(self, model, windows):
        super().test_splitting_at_a_window_boundary_changes_nothing(model, windows)


class TestOneLevel(CausalConformance):
    name = "mts3"
    arguments = {**SIZES, "window_len": []}  # noqa: RUF012


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


def test_one_level_is_acrkn_with_a_linear_transition():
    model = build(window_len=[])
    sizes = {key: SIZES[key] for key in ("latent_obs_dim", "encoder_hidden", "control_hidden", "decoder_hidden")}
    relative = mts3.AcRKN(O, A, transition="dense", **sizes).double()
    relative.load_state_dict(model.state_dict())
    obs, actions, mask = sequence(2 * H + 2)
    assert_same(model(obs, actions, mask), relative(obs, actions, mask), rtol=0, atol=0)


def test_a_list_of_one_window_length_is_mts3():
    model, listed = build(), build(window_len=[H])
    listed.load_state_dict(model.state_dict())
    obs, actions, mask = sequence(2 * H + 2)
    assert_same(model(obs, actions, mask), listed(obs, actions, mask), rtol=0, atol=0)


def test_a_level_above_without_influence_changes_nothing():
    """Three levels whose middle does not listen to the top are the two below."""
    two, three = build(window_len=[H]), build(window_len=[H, 3 * H])
    own = {name: value for name, value in three.state_dict().items() if not name.startswith("slow.1")}
    coupling = three.slow[0].marginalization.transitions[2]
    coupling.change.data = -2 * 6 * coupling.initial
    two.load_state_dict({name: value for name, value in own.items() if "transitions.2" not in name})
    obs, actions, mask = sequence(6 * H + 2)
    assert_same(three(obs, actions, mask), two(obs, actions, mask))


def test_every_level_is_one_more_parent_of_the_one_below():
    model = build(window_len=[H, 2 * H])
    assert [len(level.marginalization.transitions) for level in model.slow] == [3, 2]
    assert len(model.fast.marginalization.transitions) == 2
    alone = mts3.MTS3(O, 0, **{**SIZES, "window_len": [H, 2 * H]})
    assert [len(level.marginalization.transitions) for level in alone.slow] == [2, 1]


def test_three_levels_against_the_definition():
    """The prediction of a step, from the levels written out one window and one step at a time."""
    model = build(window_len=[2, 4], task_belief="predicted")
    obs, actions, mask = sequence(8)
    wide = mask[..., None].expand(-1, -1, O)
    pred = model(obs, actions, mask)
    from mts3.gaussian import aggregate, condition, diagonal

    phase = {length: (torch.arange(8, dtype=obs.dtype) % length) / length for length in (2, 4)}
    mid, top = model.slow
    state = model.initial_state(B)
    fast, middle, upper = state.prior, state.slow[0].closed, state.slow[1].closed
    means = []
    for t in range(8):
        if t % 4 == 0:
            window = slice(t, t + 4)
            act = diagonal(*aggregate(top.action_encoder(actions[:, window], phase[4][window]).sum(1)))
            upper_prior = top.marginalization([upper, act])
            seen = top.obs_encoder(obs[:, window], wide[:, window], phase[4][window]).sum(1)
            upper = condition(upper_prior, seen)
        if t % 2 == 0:
            window = slice(t, t + 2)
            act = diagonal(*aggregate(mid.action_encoder(actions[:, window], phase[2][window]).sum(1)))
            middle_prior = mid.marginalization([middle, act, upper_prior])
            seen = mid.obs_encoder(obs[:, window], wide[:, window], phase[2][window]).sum(1)
            middle = condition(middle_prior, seen)
        evidence = model.fast.encoder(obs[:, t : t + 1], wide[:, t : t + 1])
        posterior = condition(fast, evidence.map(lambda fields: fields[:, 0]))
        fast = model.fast.marginalization([posterior, middle_prior], model.fast.control(actions[:, t]))
        means.append(model.fast.decoder(fast.map(lambda fields: fields[:, None])).mean)
    torch.testing.assert_close(pred.mean, torch.cat(means, 1))


@pytest.mark.parametrize("window_len", [0, [5, 12], [10, 5], [5, 5], [1, 1], [0, 5]])
def test_windows_must_nest(window_len):
    with pytest.raises(ValueError, match="window_len >= 1, or a list of growing lengths"):
        mts3.MTS3(O, A, **{**SIZES, "window_len": window_len})
