"""What the base class says of bad input, inherited by the tests of one model of each family: the checks are shared."""

from typing import Any

import pytest
import torch

import mts3
from mts3.errors import UserError
from tests.models.conformance import A, B, H, O, sequence


class Messages:
    """Inherit beside `CausalConformance`, which says what to build."""

    name: str
    build: Any

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda o, a, m: (o[..., :-1], a, m), r"expected obs \(B, T, 4\), got \(3, 6, 3\)"),
            (lambda o, a, m: (o[0], a, m), r"expected obs \(B, T, 4\), got \(6, 4\)"),
            (lambda o, a, m: (o[:, :0], a[:, :0], m[:, :0]), "T >= 1"),
            (lambda o, a, m: (o, a[:, :-1], m), "differ in batch or steps"),
            (lambda o, a, m: (o, a[..., :-1], m), r"expected actions \(B, T, 2\), got \(3, 6, 1\)"),
            (lambda o, a, m: (o, None, m), "pass actions"),
            (lambda o, a, m: (o.float(), a, m), "obs is torch.float32"),
            (lambda o, a, m: (o.long(), a, m), "obs is torch.int64"),
            (lambda o, a, m: (o, a, m.float()), "obs_mask must be bool"),
            (lambda o, a, m: (o, a, m[:, :-1]), r"expected obs_mask \(3, 6\) or \(3, 6, 4\), got \(3, 5\)"),
            (lambda o, a, m: (o * torch.nan, a, m), "NaN or infinite where obs_mask says observed"),
            (lambda o, a, m: (o / 0.0, a, None), "infinite"),
            (lambda o, a, m: (o, a * torch.nan, m), "NaN or infinite values in actions"),
            (
                lambda o, a, m: (o.numpy(), a, m),
                r"obs is of type ndarray.*pass torch.from_numpy\(obs\).to\(torch.float64",
            ),
            (lambda o, a, m: (o, a.numpy(), m), r"actions is of type ndarray.*pass torch.from_numpy\(actions\)"),
            (lambda o, a, m: (o, a, m.numpy()), r"obs_mask is of type ndarray.*pass torch.from_numpy\(obs_mask\)"),
            (lambda o, a, m: (o.tolist(), a, m), "obs is of type list, expected a torch tensor"),
            (lambda o, a, m: (o, a, m.to("meta")), "obs_mask is on meta, obs on cpu"),
        ],
    )
    def test_bad_input_is_named(self, model, change, message):
        with pytest.raises(ValueError, match=message):
            model(*change(*sequence(H + 1)))

    def test_a_state_of_another_batch_is_named(self, model):
        with pytest.raises(ValueError, match="state holds a batch of 2, obs one of 3"):
            model.observe(*sequence(H), model.initial_state(2))
        with pytest.raises(ValueError, match="state holds a batch of 2, actions one of 3"):
            model.imagine(model.initial_state(2), sequence(H)[1])

    def test_what_is_no_state_is_named(self, model):
        obs, actions, mask = sequence(H)
        both = model.observe(obs, actions, mask)  # the state is the second of the two
        for call in (lambda: model.observe(obs, actions, mask, both), lambda: model.imagine(both, actions)):
            with pytest.raises(ValueError, match="state is of type tuple: pass what model"):
                call()

    def test_imagining_needs_actions_of_the_right_shape(self, model):
        with pytest.raises(ValueError, match=r"imagine needs actions \(B, T, 2\)"):
            model.imagine(model.initial_state(B), horizon=3)
        with pytest.raises(ValueError, match=r"expected actions \(B, T, 2\), got \(3, 5, 1\)"):
            model.imagine(model.initial_state(B), sequence(H)[1][..., :1])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda a: a[:, :0], r"expected actions \(B >= 1, T >= 1, 2\), got \(3, 0, 2\)"),
            (lambda a: a[:0], r"expected actions \(B >= 1, T >= 1, 2\), got \(0, 5, 2\)"),
            (lambda a: a[0, 0], r"expected actions \(B, T, 2\), got \(2,\)"),
            (lambda a: a[0], r"expected actions \(B, T, 2\), got \(5, 2\)"),
            (lambda a: a.numpy(), r"actions is of type ndarray.*pass torch.from_numpy\(actions\)"),
            (lambda a: a * torch.nan, "NaN or infinite values in actions"),
        ],
    )
    def test_imagining_names_the_actions(self, model, change, message):
        with pytest.raises(ValueError, match=message):
            model.imagine(model.initial_state(B), change(sequence(H)[1]))

    def test_a_horizon_that_is_none_or_another_one_is_named(self, model):
        with pytest.raises(ValueError, match="have 5 steps and horizon=4: pass one of them"):
            model.imagine(model.initial_state(B), sequence(H)[1], horizon=4)
        free = self.build(action_dim=0)
        for horizon in (0, -2):
            with pytest.raises(ValueError, match=f"expected horizon >= 1, got {horizon}"):
                free.imagine(free.initial_state(B), horizon=horizon)
        with pytest.raises(ValueError, match="state is of type NoneType"):
            free.imagine(None, horizon=3)

    def test_unknown_arguments_are_named(self):
        with pytest.raises(UserError, match="did you mean action_dim"):
            mts3.build(self.name, obs_dim=O, actions_dim=A)
        with pytest.raises(UserError, match="needs action_dim"):
            mts3.build(self.name, obs_dim=O)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda o, a, m, p: (o[:, None], a, m, p), r"expected obs_t \(B, 4\), got \(3, 1, 4\)"),
            (lambda o, a, m, p: (o, a * torch.nan, m, p), "NaN or infinite values in action_t"),
            (lambda o, a, m, p: (o, a[:1], m, p), "differ in batch: pass one action for each observation"),
            (lambda o, a, m, p: (o * torch.inf, a, None, p), "obs_t holds infinite values"),
            (lambda o, a, m, p: (o * torch.nan, a, ~m | m, p), "obs_t is NaN or infinite where obs_mask says"),
            (lambda o, a, m, p: (o, a, m, p[:1]), "planned_actions holds a batch of 1, obs_t one of 3"),
            (lambda o, a, m, p: (o, a, m, p.numpy()), "planned_actions is of type ndarray"),
        ],
    )
    def test_bad_input_of_a_step_is_named(self, model, change, message):
        obs, actions, mask = sequence(H)
        with pytest.raises(ValueError, match=message):
            model.step(model.initial_state(B), *change(obs[:, 0], actions[:, 0], mask[:, 0], actions[:, 1:]))
        with pytest.raises(ValueError, match="state holds a batch of 2, obs_t one of 3"):
            model.step(model.initial_state(2), obs[:, 0], actions[:, 0], mask[:, 0])
