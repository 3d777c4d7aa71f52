"""The exported step is the model's step."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import mts3
from mts3 import Normalizer
from mts3.errors import UserError

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from mts3.export import OnnxStep, export_step

O, A, H = 3, 2, 4  # noqa: E741 - the shape legend's letter
SIZES = {"latent_obs_dim": 6, "encoder_hidden": 8, "control_hidden": 7, "decoder_hidden": 8}
SLOW = {**SIZES, "set_encoder_hidden": 9}
STATS = {"obs_mean": [1.0, -2.0, 0.5], "obs_std": [2.0, 0.5, 1.0], "action_mean": [0.5, 0.0], "action_std": [2.0, 3.0]}


def build(name, action_dim=A, **arguments):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = mts3.build(name, obs_dim=O, action_dim=action_dim, **arguments)
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def inputs(steps, action_dim=A):
    """Gaps of single values and of whole steps, and plans from none at all to longer than any window."""
    rng = np.random.default_rng(0)
    for t in range(steps):
        obs = rng.normal(size=O).astype(np.float32)
        obs[t % O] = np.nan if t % 4 == 1 else 0.5
        plan = rng.normal(size=((0, 1, 2, 3 * H)[t % 4], action_dim)).astype(np.float32)
        action = rng.normal(size=action_dim).astype(np.float32)
        yield np.full_like(obs, np.nan) if t % 7 == 2 else obs, action, None if t % 3 == 1 else plan


@torch.no_grad()
def stepped(model, steps):
    """Physical means, variances and rewards of `model.step`."""
    state = model.initial_state(1)
    stats = {name: values[: len(values) if "obs" in name else model.action_dim] for name, values in STATS.items()}
    normalizer = model.normalizer or Normalizer.from_lists({n: [float("std" in n)] * len(v) for n, v in stats.items()})
    for obs, action, plan in inputs(steps, model.action_dim):
        given = normalizer.normalize_obs(torch.tensor(obs))[None]
        act, rest = (None if x is None else normalizer.normalize_actions(torch.tensor(x))[None] for x in (action, plan))
        pred, state = model.step(state, given, act, planned_actions=rest)
        yield normalizer.denormalize_prediction(pred)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mts3", {"window_len": H, **SLOW}),
        ("mts3", {"window_len": [H, 2 * H], "transition": "modal", "task_belief": "filtered", "reward": True, **SLOW}),
        ("mts3", {"window_len": H, "adaptive": True, **SLOW}),
        ("mts3", {"window_len": H, "action_dim": 0, **SLOW}),
        ("acrkn", {"bandwidth": 1, "bases": 3, **SIZES}),
        ("rkn", {"transition": "banded", "bandwidth": 1, **SIZES}),
        ("hiprssm", {"transition": "dense", **SLOW}),
    ],
)
def test_it_is_the_step_of_the_model(name, arguments, tmp_path):
    model = build(name, **arguments)
    if model.action_dim:
        model.normalizer = Normalizer.from_lists(STATS)
    export_step(model, tmp_path / "step.onnx")
    online = OnnxStep(tmp_path / "step.onnx")
    for _ in range(2):
        expected = stepped(model, 3 * 2 * H + 1)
        for (obs, action, plan), pred in zip(inputs(3 * 2 * H + 1, model.action_dim), expected, strict=True):
            mean, var = online.step(obs, action, plan)
            np.testing.assert_allclose(mean, pred.mean[0, 0], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(var, pred.var[0, 0], rtol=1e-5, atol=1e-5)
            if pred.reward is not None:
                np.testing.assert_allclose(online.reward[0], pred.reward.mean[0, 0], rtol=1e-5, atol=1e-5)
                np.testing.assert_allclose(online.reward[1], pred.reward.var[0, 0], rtol=1e-5, atol=1e-5)
        online.reset()
    assert [file.name for file in tmp_path.iterdir()] == ["step.onnx"]


def assert_exported(model, path, steps=2 * H + 3):
    """The exported step is the model's own."""
    export_step(model, path)
    online, state = OnnxStep(path), model.initial_state(1)
    with torch.no_grad():
        for obs, action, plan in inputs(steps, model.action_dim):
            given = [None if x is None else torch.tensor(x)[None] for x in (obs, action, plan)]
            pred, state = model.step(state, given[0], given[1], planned_actions=given[2])
            mean, var = online.step(obs, action, plan)
            np.testing.assert_allclose(mean, pred.mean[0, 0], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(var, pred.var[0, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", mts3.models.MODELS)
def test_every_model_of_a_static_step_is_exported_and_the_others_are_refused(name, tmp_path):
    model = build(name)
    if model.static_step:
        assert_exported(model, tmp_path / "step.onnx")
    else:
        with pytest.raises(UserError, match=f"cannot export {type(model).__name__}: its step is not the same"):
            export_step(model, tmp_path / "step.onnx")


class Odd(mts3.MTS3):
    """Overrides what the prepared step would take for known: the belief is nudged, the decoder is another."""

    def __init__(self, obs_dim, action_dim, nudge=0.5):
        super().__init__(obs_dim, action_dim, window_len=H, transition="locally_linear", **SLOW)
        self.nudge = nudge
        self.fast.decoder.mean_net.insert(2, torch.nn.Tanh())
        self.fast.decoder.var_net.append(torch.nn.Softplus())

    def believe(self, state, given):
        beliefs, after = super().believe(state, given)
        return replace(beliefs, mean=beliefs.mean + self.nudge), after


def test_an_odd_subclass_is_exported_as_it_is(tmp_path):
    torch.manual_seed(1)
    model = Odd(O, A).eval()
    assert_exported(model, tmp_path / "step.onnx")
    obs, actions = torch.randn(1, 2 * H, O), torch.randn(1, 2 * H, A)
    state, preds = model.initial_state(1), []
    with torch.no_grad():
        for t in range(2 * H):
            rest = actions[:, t + 1 : (t // H + 1) * H]
            pred, state = model.step(state, obs[:, t], actions[:, t], planned_actions=rest)
            preds.append(pred.mean)
        torch.testing.assert_close(torch.cat(preds, 1), model(obs, actions).mean, rtol=1e-4, atol=1e-5)


def test_another_likelihood_is_exported(tmp_path):
    """Its fields are what the prediction holds."""
    assert_exported(build("acrkn", decoder="student_t", transition="modal", **SIZES), tmp_path / "step.onnx")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "step.onnx"
    model = build("mts3", window_len=H, **SLOW)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_step(model, path)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return path


def test_what_depends_on_parameters_alone_is_not_computed(written):
    import onnx

    graph = onnx.load(written).graph
    stored = {tensor.name for tensor in graph.initializer}
    assert not [node.op_type for node in graph.node if node.input and set(node.input) <= stored]
    assert [x.name for x in graph.input[:4]] == ["obs", "obs_mask", "action", "plan"]
    assert [x.name for x in graph.output[:2]] == ["mean", "var"]
    assert [f"next_{x.name}" for x in graph.input[4:]] == [x.name for x in graph.output[2:]]
    assert not {"If", "Loop", "Scan"} & {node.op_type for node in graph.node}


def test_the_file_needs_no_pytorch(written):
    """`OnnxStep` is copied to where there is none."""
    import subprocess

    source = sys.modules[OnnxStep.__module__].__file__
    code = (
        f"import sys; sys.modules['torch'] = None; exec(open({str(source)!r}).read())\n"
        f"mean, var = OnnxStep({str(written)!r}).step([0.0] * {O}, [0.0] * {A})\n"
        f"assert mean.shape == var.shape == ({O},)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_missing_action_is_named(written):
    with pytest.raises(ValueError, match="needs an action of 2 numbers"):
        OnnxStep(written).step(np.zeros(O))


def test_the_metadata_is_json(written):
    import onnx

    told = json.loads({entry.key: entry.value for entry in onnx.load(written).metadata_props}["mts3"])
    assert told["model"] == "mts3"
    assert told["longest_plan"] == H - 1
    assert told["normalizer"]["obs_std"] == [1.0] * O


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: build("transformer_ar"),
            "cannot export TransformerAR: its step is not the same .* choose mts3, acrkn",
        ),
        (
            lambda: mts3.MTS3(64, 1, image_shape=(1, 8, 8), latent_obs_dim=4),
            "cannot export MTS3: .* with flat observations",
        ),
        (lambda: build("mts3", task_belief="window_posterior", **SLOW), "causal task_belief"),
    ],
)
def test_what_cannot_be_exported_is_named(model, message, tmp_path):
    with pytest.raises(UserError, match=message):
        export_step(model(), tmp_path / "step.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r'pip install "mts3\[export\]"'):
        export_step(build("mts3", window_len=H, **SLOW), tmp_path / "step.onnx")
