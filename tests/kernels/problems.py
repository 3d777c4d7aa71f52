"""Problems that every backend must solve alike, with what is differentiated in front."""

import torch

from mts3.gaussian import Belief, dense_map, evidence_of, modal_map
from mts3.kernels import Problem

PARTS = ("parameter", "prior_mean", "prior_cov", "offset_mean", "offset_cov", "obs", "var")


def random_problem(
    kind: str = "modal",
    batch: int = 3,
    steps: int = 17,
    dim: int = 4,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
    seed: int = 0,
    observed: float | None = 0.6,
    detach_at: tuple[int, ...] = (),
    decay: float = 0.95,
) -> tuple[Problem, dict[str, torch.Tensor]]:
    """A stable random system, and its leaves by name, which require gradients.

    Args:
        kind: "modal" or "dense".
        observed: Share of steps that are; None gives a problem without evidence.
    """
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    if kind == "modal":
        angle = torch.rand(dim, generator=g, dtype=torch.float64)
        parameter = decay * torch.stack(
            (torch.stack((angle.cos(), angle.sin())), torch.stack((-angle.sin(), angle.cos())))
        )
    else:
        parameter = decay * torch.linalg.qr(normal(2 * dim, 2 * dim))[0]
    upper, lower = 0.5 + torch.rand(2, batch, dim, generator=g, dtype=torch.float64)
    side = 0.4 * (upper * lower).sqrt()
    noise = 0.1 + torch.rand(2, batch, steps, dim, generator=g, dtype=torch.float64)
    leaves = {
        "parameter": parameter,
        "prior_mean": normal(batch, 2 * dim),
        "prior_cov": torch.cat((upper, side, lower), -1),
        "offset_mean": 0.3 * normal(batch, steps, 2 * dim),
        "offset_cov": torch.cat((noise[0], 0.02 * normal(batch, steps, dim), noise[1]), -1),
        "obs": normal(batch, steps, dim),
        "var": 0.05 + torch.rand(batch, steps, dim, generator=g, dtype=torch.float64),
    }
    leaves = {name: leaf.to(device, dtype).requires_grad_() for name, leaf in leaves.items()}
    mask = torch.rand(batch, steps, generator=g) < (observed or 0.0)
    evidence = None if observed is None else evidence_of(leaves["obs"], leaves["var"], mask.to(device))
    transition = (modal_map if kind == "modal" else dense_map)(leaves["parameter"])
    prior = Belief(leaves["prior_mean"], leaves["prior_cov"])
    offset = Belief(leaves["offset_mean"], leaves["offset_cov"])
    return Problem(prior, transition, offset, evidence, detach_at), leaves


def value_and_gradients(
    run, problem: Problem, leaves: dict[str, torch.Tensor]
) -> tuple[Belief, dict[str, torch.Tensor]]:
    """The predicted beliefs of `run(problem)`, and the gradient of a random sum of them with respect to each leaf."""
    predicted: Belief = run(problem)
    g = torch.Generator().manual_seed(99)
    weigh = [torch.randn(x.shape, generator=g, dtype=torch.float64).to(x) for x in (predicted.mean, predicted.cov)]
    total = (predicted.mean * weigh[0]).sum() + (predicted.cov * weigh[1]).sum()
    gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, retain_graph=True)
    found = {
        name: torch.zeros_like(leaf) if g is None else g
        for (name, leaf), g in zip(leaves.items(), gradients, strict=True)
    }
    return predicted.detach(), found
