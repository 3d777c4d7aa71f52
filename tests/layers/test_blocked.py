"""Networks in blocks are the plain networks: values, every gradient, and where each of the two is used."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.utils.parametrize
from torch import nn

from mts3.gaussian import Belief, Evidence
from mts3.kernels import use_backend
from mts3.layers import ActionSetEncoder, Control, GaussianDecoder, ObsEncoder, TripleEncoder, mlp
from mts3.layers.blocked import BLOCK, BlockedMLP
from mts3.layers.blocked_evidence import BlockedEvidence
from mts3.layers.step_io import GaussianHeads, StepEncoder

OBS, A, D, H = 4, 2, 3, 12
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
MANY = mlp.FEWEST_ROWS + 7
ROWS = (1, BLOCK - 1, BLOCK, BLOCK + 1, 2500)


@dataclass
class Inputs:
    """A batch of one sequence with everything a layer may want, all of it requiring a gradient."""

    rows: int
    dtype: torch.dtype
    missing: float = 0.4

    def __post_init__(self) -> None:
        g = torch.Generator().manual_seed(self.rows)

        def normal(features: int) -> torch.Tensor:
            return torch.randn(1, self.rows, features, generator=g, dtype=self.dtype)

        steps = torch.rand(1, self.rows, 1, generator=g) >= self.missing
        self.mask = steps & (torch.rand(1, self.rows, OBS, generator=g) >= 0.5 * self.missing)
        self.next_mask = self.mask.roll(1, 1)
        self.obs = torch.where(self.mask, normal(OBS), torch.nan).requires_grad_()
        self.next_obs = torch.where(self.next_mask, normal(OBS), torch.nan).requires_grad_()
        self.actions, self.phase = normal(A).requires_grad_(), normal(1)[0, :, 0].requires_grad_()
        self.belief = Belief(normal(2 * D).requires_grad_(), normal(3 * D).requires_grad_())

    def leaves(self) -> list[torch.Tensor]:
        return [self.obs, self.next_obs, self.actions, self.phase, self.belief.mean, self.belief.cov]


def both(evidence: Evidence) -> list[torch.Tensor]:
    return [evidence.precision, evidence.information]


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module, Inputs], list[torch.Tensor]]]] = {
    "obs": (lambda: ObsEncoder(OBS, D, H), lambda m, x: both(m(x.obs, x.mask))),
    "abstract obs": (lambda: ObsEncoder(OBS, D, H, with_phase=True), lambda m, x: both(m(x.obs, x.mask, x.phase))),
    "action set": (lambda: ActionSetEncoder(A, D, H), lambda m, x: both(m(x.actions, x.phase))),
    "triple": (
        lambda: TripleEncoder(OBS, A, D, H, with_change=True),
        lambda m, x: both(m(x.obs, x.mask, x.actions, x.next_obs, x.next_mask)),
    ),
    "control": (lambda: Control(A, D, H), lambda m, x: [m(x.actions)]),
    "decoder": (lambda: GaussianDecoder(D, OBS, H), lambda m, x: list(vars(m(x.belief)).values())[:2]),
    "step": (lambda: StepEncoder(OBS, A, 5, H), lambda m, x: [m(x.obs, x.mask, x.actions)]),
    "heads": (
        lambda: GaussianHeads(2 * D, OBS, H, reward=True),
        lambda m, x: [t for p in [m(x.belief.mean)] for t in (p.mean, p.var, p.reward.mean, p.reward.var)],
    ),
}


def values_and_gradients(layer: nn.Module, call: Callable, x: Inputs) -> list[torch.Tensor]:
    outputs = call(layer, x)
    g = torch.Generator().manual_seed(7)
    directions = [torch.randn(y.shape, generator=g, dtype=y.dtype) for y in outputs]
    wanted = [*layer.parameters(), *x.leaves()]
    return [*outputs, *torch.autograd.grad(outputs, wanted, directions, allow_unused=True)]


def assert_close(actual: list, expected: list, tolerance: float) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert (a is None) == (e is None)
        if e is not None:
            assert (a - e).abs().max() <= tolerance * (1.0 + e.abs().max())


@pytest.fixture
def any_rows(monkeypatch):
    """Blocks even for a single row."""
    monkeypatch.setattr(mlp, "FEWEST_ROWS", 1)


@pytest.mark.usefixtures("any_rows")
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", LAYERS)
def test_blocks_are_the_plain_networks(kind, rows, dtype):
    build, call = LAYERS[kind]
    torch.manual_seed(0)
    layer, x = build().to(dtype), Inputs(rows, dtype)
    actual = values_and_gradients(layer, call, x)
    with use_backend("reference"):
        expected = values_and_gradients(layer, call, x)
    assert_close(actual, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("missing", [0.0, 1.0])
def test_everything_or_nothing_observed(missing):
    build, call = LAYERS["abstract obs"]
    layer, x = build().double(), Inputs(MANY, torch.float64, missing)
    actual = values_and_gradients(layer, call, x)
    with use_backend("reference"):
        expected = values_and_gradients(layer, call, x)
    assert_close(actual, expected, 1e-10)
    assert (actual[0] == 0).all() == (missing == 1.0)


def test_what_is_not_observed_adds_and_receives_exactly_nothing():
    build, call = LAYERS["obs"]
    layer, x = build(), Inputs(MANY, torch.float32)
    precision, information, *_, obs_grad, _, _, _, _, _ = values_and_gradients(layer, call, x)
    hidden = ~x.mask.any(-1)
    assert hidden.any()
    assert (precision[hidden] == 0).all()
    assert (information[hidden] == 0).all()
    assert (obs_grad[~x.mask] == 0).all()
    assert (precision[~hidden] > 0).all()


@pytest.mark.parametrize("kind", LAYERS)
def test_without_gradients_the_values_are_the_same_bit_for_bit(kind):
    build, call = LAYERS[kind]
    layer, x = build(), Inputs(MANY, torch.float32)
    with torch.no_grad():
        free = call(layer, x)
    for a, b in zip(free, call(layer, x), strict=True):
        assert torch.equal(a, b)
        assert a.grad_fn is None


def saved_shapes(call: Callable[[], object]) -> list[torch.Size]:
    shapes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: shapes.append(t.shape) or t, lambda t: t):
        call()
    return shapes


@pytest.mark.usefixtures("auto_backend")
def test_no_hidden_layer_is_kept_for_the_backward_pass():
    x = torch.randn(MANY, A)
    net = Control(A, D, H).net
    assert (MANY, H) in saved_shapes(lambda: net(x))
    assert (MANY, H) not in saved_shapes(lambda: mlp.mlp(net, x))


@pytest.mark.parametrize("frozen", ["weights", "input"])
def test_what_is_frozen_gets_no_gradient_and_changes_no_other(frozen):
    net, x = Control(A, D, H).double().net, torch.randn(MANY, A, dtype=torch.float64, requires_grad=True)
    (x if frozen == "input" else net).requires_grad_(False)
    wanted = [x] if frozen == "weights" else list(net.parameters())
    results = [torch.autograd.grad(f(x).square().sum(), wanted) for f in (net, lambda x: mlp.mlp(net, x))]
    assert_close(results[1], results[0], 1e-10)


@pytest.mark.parametrize("eps", [None, 1e-5])
def test_derivatives_of_the_network(eps):
    torch.manual_seed(0)
    shapes = ((6, 3), (5, 3), (5,), (2, 5), (2,))
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(BlockedMLP.apply, (*inputs, eps))
    assert torch.autograd.gradgradcheck(BlockedMLP.apply, (*inputs, eps))


def test_derivatives_of_the_evidence():
    raw = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(BlockedEvidence.apply, (raw, 1e-4))
    assert torch.autograd.gradgradcheck(BlockedEvidence.apply, (raw, 1e-4))


def test_second_derivatives_through_a_layer():
    build, call = LAYERS["abstract obs"]
    layer, x = build().double(), Inputs(MANY, torch.float64)

    def penalty_gradient() -> tuple[torch.Tensor, ...]:
        weights = list(layer.parameters())
        first = torch.autograd.grad(sum(y.square().sum() for y in call(layer, x)), weights, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), weights, allow_unused=True)

    actual = penalty_gradient()
    with use_backend("reference"):
        assert_close(actual, penalty_gradient(), 1e-10)


@pytest.mark.usefixtures("auto_backend")
def test_where_blocks_are_used():
    net, x = Control(A, D, H).net, torch.zeros(3, mlp.FEWEST_ROWS, A)
    assert mlp.goes_in_blocks(x, net)
    assert not mlp.goes_in_blocks(x[0, :-1], net)
    assert not mlp.goes_in_blocks(x.bfloat16(), net.bfloat16())
    assert not mlp.goes_in_blocks(x.to("meta"), net.float())
    with torch.autocast("cpu"):
        assert not mlp.goes_in_blocks(x, net)
        assert mlp.mlp(net, x).dtype == torch.bfloat16
    with use_backend("reference"):
        assert not mlp.goes_in_blocks(x, net)
        assert torch.equal(mlp.mlp(net, x), net(x))


class Tuple(nn.Module):
    """What is exported returns tensors."""

    def __init__(self, encoder: ObsEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, obs: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(both(self.encoder(obs, mask)))


def test_changed_modules_are_called():
    x, heard = torch.randn(MANY, A), []
    hooked = Control(A, D, H).net
    hooked[0].register_forward_hook(lambda *_: heard.append(1))
    mlp.mlp(hooked, x)
    assert heard == [1]
    clipped = Control(A, D, H).net
    nn.utils.parametrize.register_parametrization(clipped[0], "weight", nn.Hardtanh(-0.1, 0.1))
    assert not mlp.goes_in_blocks(x, clipped)
    assert torch.equal(mlp.mlp(clipped, x), clipped(x))


def test_transforms_take_the_plain_network():
    net, x = Control(A, D, H).net, torch.randn(3, MANY, A)
    assert torch.equal(torch.func.vmap(lambda x: mlp.mlp(net, x))(x), torch.func.vmap(net)(x))


def test_an_exported_layer_holds_the_plain_network():
    layer, x = Tuple(ObsEncoder(OBS, D, H)), Inputs(MANY, torch.float32)
    example = (x.obs.detach(), x.mask)
    exported = torch.export.export(layer, example)
    operations = {str(node.target) for node in exported.graph.nodes}
    assert "aten.linear.default" in operations
    assert "aten.nonzero.default" not in operations
    assert_close(list(exported.module()(*example)), list(layer(*example)), 1e-5)


def test_checkpoints_do_not_know_of_blocks():
    def names(*layers: int) -> set[str]:
        return {f"net.{layer}.{part}" for layer in layers for part in ("weight", "bias")}

    assert set(Control(A, D, H).state_dict()) == names(0, 2, 3)
    assert set(ObsEncoder(OBS, D, H).encoder.state_dict()) == names(0, 2)
