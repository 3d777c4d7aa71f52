"""Segments change no number, keep less, and refuse what whole sequences refuse."""

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import mts3
from mts3 import segments as module
from mts3.kernels import use_backend
from mts3.models import DeltaTarget
from mts3.segments import observe_in_segments, predict_in_segments
from tests.models.conformance import A, B, H, O, assert_same, sequence

HIDDEN = {"encoder_hidden": 8, "control_hidden": 8, "decoder_hidden": 8}
LATENT = {**HIDDEN, "latent_obs_dim": 6, "set_encoder_hidden": 8}
STEPS_HIDDEN = {"encoder_hidden": 8, "decoder_hidden": 8}
ATTENTION = {"width": 8, "heads": 2, "layers": 2, "memory_len": 2 * H, "decoder_hidden": 8}  # shorter than a sequence
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "mts3": ("mts3", {**LATENT, "window_len": H}),
    "mts3 modal": ("mts3", {**LATENT, "window_len": H, "transition": "modal"}),
    "mts3 filtered": ("mts3", {**LATENT, "window_len": H, "task_belief": "filtered"}),
    "mts3 hindsight": ("mts3", {**LATENT, "window_len": H, "task_belief": "window_posterior"}),
    "mts3 detached": ("mts3", {**LATENT, "window_len": H, "detach_between_windows": True}),
    "mts3 three levels": ("mts3", {**LATENT, "window_len": [H, 2 * H], "task_belief": "filtered"}),
    "mts3 one level": ("mts3", {**LATENT, "window_len": []}),
    "mts3 adaptive": ("mts3", {**LATENT, "window_len": H, "adaptive": True}),
    "mts3 reward": ("mts3", {**LATENT, "window_len": H, "reward": True}),
    "acrkn": ("acrkn", {**HIDDEN, "latent_obs_dim": 6, "bases": 3}),
    "rkn": ("rkn", {**HIDDEN, "latent_obs_dim": 6, "bases": 3}),
    "hiprssm": ("hiprssm", {**LATENT, "bases": 3, "adaptive": True}),
    "lstm": ("lstm", {**STEPS_HIDDEN, "units": 8}),
    "gru": ("gru", {**STEPS_HIDDEN, "units": 8}),
    "gru_two_rate": ("gru_two_rate", {**STEPS_HIDDEN, "window_len": H, "units": 8, "slow_units": 8}),
    "transformer_ar": ("transformer_ar", ATTENTION),
    "transformer_multi": ("transformer_multi", ATTENTION),
}
STEPS = 6 * H + 3


def build(name: str, arguments: dict[str, Any]) -> mts3.models.WorldModel:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = mts3.build(name, obs_dim=O, action_dim=A, **arguments).double()
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model.train()


@pytest.fixture(params=[*MODELS, "delta of mts3", "delta of transformer_ar"])
def model(request):
    name = request.param.removeprefix("delta of ")
    inner = build(*MODELS[name])
    if name == request.param:
        return inner
    return DeltaTarget(inner, torch.linspace(0.1, 0.4, O, dtype=torch.float64))


def gradients(model, observe, given, state=None):
    """Of a loss that weighs every output, by parameter and for the actions; what was predicted and the state too."""
    model.zero_grad()
    obs, actions, mask = given
    actions = actions.clone().requires_grad_()
    pred, after = observe(obs, actions, mask, state)
    weights = torch.linspace(0.5, 1.5, pred.mean.numel(), dtype=pred.mean.dtype).view_as(pred.mean)
    loss = (weights * pred.mean).sum() + (weights * pred.var.log()).sum()
    if pred.reward is not None:
        loss = loss + pred.reward.mean.square().sum() + pred.reward.var.sum()
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {**found, **({} if actions.grad is None else {"actions": actions.grad})}, pred, after


def assert_alike(model, given, state=None, **options):
    expected, whole, end = gradients(model, model.observe, given, state)
    found, pred, after = gradients(model, lambda *inputs: observe_in_segments(model, *inputs, **options), given, state)
    assert_same(pred, whole, rtol=1e-12, atol=1e-12)
    if whole.reward is not None:
        assert_same(pred.reward, whole.reward, rtol=1e-12, atol=1e-12)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = gradient.abs().max().item()
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-12 * max(1.0, size), msg=name)
    more = sequence(H, seed=1)[1]
    assert_same(model.imagine(after, more), model.imagine(end, more), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("recompute", [False, True])
def test_segments_change_neither_values_nor_gradients(model, recompute):
    """6 steps are made up to 10 for windows of 5 and of 10, and left 6 without any."""
    assert_alike(model, sequence(STEPS), segment_len=H + 1, recompute=recompute)


@pytest.mark.parametrize("name", ["mts3 filtered", "mts3 hindsight", "mts3 detached", "mts3 three levels", "gru"])
@pytest.mark.parametrize("taken", [H, 2 * H + 2])
def test_cuts_stay_at_window_boundaries_when_a_state_is_inside_a_window(name, taken):
    model = build(*MODELS[name])
    obs, actions, mask = sequence(taken, seed=2)
    with torch.no_grad():
        state = model.observe(obs, actions, mask)[1]
    assert_alike(model, sequence(STEPS), state, segment_len=1, recompute=True)


@pytest.mark.parametrize("segment_len", [1, H, 10 * H])
@pytest.mark.parametrize("steps", [1, H - 1, H, H + 1])
def test_any_length(steps, segment_len):
    assert_alike(build(*MODELS["mts3"]), sequence(steps), segment_len=segment_len, recompute=True)


def test_masks_of_any_kind_and_none():
    model = build(*MODELS["mts3"])
    obs, actions, mask = sequence(STEPS)
    expected = model(obs, actions, mask)
    as_nan = torch.where(mask[..., None], obs, torch.nan)
    for given in ((obs, actions, mask), (as_nan, actions, None), (as_nan, actions, mask[..., None].expand(obs.shape))):
        assert_same(observe_in_segments(model, *given, segment_len=H)[0], expected, rtol=1e-12, atol=1e-12)


def test_the_second_run_filters_with_the_backend_of_the_first():
    model = build(*MODELS["mts3 modal"])
    obs, actions, mask = sequence(STEPS)
    with use_backend("reference"):
        pred = observe_in_segments(model, obs, actions, mask, segment_len=H, recompute=True)[0]
    with use_backend("associative"):  # another number of saved tensors: the recomputation would not fit
        pred.mean.sum().backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with use_backend("reference"):
        model(obs, actions, mask).mean.sum().backward()
    for name, gradient in expected.items():
        torch.testing.assert_close(model.get_parameter(name).grad, gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o, a, m: (o, a[:, :-1], m), "differ in batch or steps"),
        (lambda o, a, m: (o[:, :-1], a[:, :-1], m), r"expected obs_mask \(3, 32\)"),
        (lambda o, a, m: (o, a, m, None, 0), "segment_len >= 1, got 0"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        observe_in_segments(build(*MODELS["mts3"]), *change(*sequence(STEPS)))


@pytest.mark.parametrize(("fewest", "expected"), [(1, [10, 10, 10, 3]), (B * 11, [15, 15, 3]), (B * STEPS, [STEPS])])
def test_segments_of_the_root_of_the_steps_unless_they_would_be_too_small(monkeypatch, fewest, expected):
    monkeypatch.setattr(module, "FEWEST_STEPS", fewest)
    model, seen = build(*MODELS["mts3"]), []
    observe = model.advance
    monkeypatch.setattr(model, "advance", lambda state, given: seen.append(given.steps) or observe(state, given))
    observe_in_segments(model, *sequence(STEPS))
    assert seen == expected


def test_predicting_holds_few_steps_at_a_time(monkeypatch):
    model = build(*MODELS["mts3"])
    obs, actions, mask = sequence(STEPS)
    expected, seen = model(obs, actions, mask), []
    whole = predict_in_segments(model, obs, actions, mask)
    assert_same(whole, expected, rtol=0, atol=0)
    monkeypatch.setattr(module, "STEPS_AT_ONCE", B * (H + 1))
    observe = model.advance
    monkeypatch.setattr(model, "advance", lambda state, given: seen.append(given.steps) or observe(state, given))
    pred = predict_in_segments(model, obs, actions, mask)
    assert_same(pred, expected, rtol=1e-12, atol=1e-12)
    assert not pred.mean.requires_grad
    assert seen == [2 * H, 2 * H, 2 * H, 3]


class Alive(TorchDispatchMode):
    """Bytes of the tensors made inside that are alive, now and at the most.

    Tensors that other programs fill, such as a compiled kernel, are counted: their memory is PyTorch's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def most_alive(steps: int, recompute: bool) -> int:
    """Bytes at the worst moment of a forward and a backward pass, without inputs and parameters."""
    model = build("mts3", {**LATENT, "window_len": 4, "latent_obs_dim": 8})
    g = torch.Generator().manual_seed(0)
    obs = torch.randn(8, steps, O, generator=g, dtype=torch.float64)
    actions = torch.randn(8, steps, A, generator=g, dtype=torch.float64)
    with use_backend("reference"), Alive() as alive:
        pred = observe_in_segments(model, obs, actions, segment_len=None if recompute else steps, recompute=recompute)[
            0
        ]
        (pred.mean.sum() + pred.var.sum()).backward()
    return alive.most


def test_recomputing_needs_memory_that_grows_with_the_root_of_the_steps(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_STEPS", 1)
    whole, cut = ([most_alive(steps, recompute) for steps in (32, 128)] for recompute in (False, True))
    assert whole[1] > 3.7 * whole[0]
    assert cut[1] < 2.4 * cut[0]
    assert cut[1] < 0.2 * whole[1]


class Unknown(mts3.AcRKN):
    """Says nothing about where it may be cut."""

    cut_anywhere = False


def test_a_model_that_says_nothing_is_not_cut(monkeypatch):
    """The safe answer is the default: one segment, whatever was asked for."""
    assert mts3.models.WorldModel.cut_anywhere is False
    model, lengths = Unknown(O, A, transition="modal", latent_obs_dim=4).double(), []
    advance = model.advance
    monkeypatch.setattr(model, "advance", lambda state, given: lengths.append(given.steps) or advance(state, given))
    observe_in_segments(model, *sequence(STEPS), segment_len=3)
    assert lengths == [STEPS]
