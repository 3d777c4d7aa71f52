"""What every model promises, inherited by the tests of each."""

import dataclasses
from typing import Any

import pytest
import torch

import mts3
from mts3 import Normalizer, Prediction
from mts3.online import refusal

B, O, A, H = 3, 4, 2, 5  # noqa: E741 - the shape legend's letter


def sequence(steps: int, action_dim: int = A, batch: int = B, seed: int = 0):
    """Random observations, actions and a per-step mask with a third of the steps missing."""
    g = torch.Generator().manual_seed(seed)
    obs = torch.randn(batch, steps, O, generator=g, dtype=torch.float64)
    actions = torch.randn(batch, steps, action_dim, generator=g, dtype=torch.float64)
    return obs, actions, torch.rand(batch, steps, generator=g) > 0.3


def assert_same(left: Prediction, right: Prediction, rtol: float = 1e-9, atol: float = 1e-10) -> None:
    torch.testing.assert_close(left.mean, right.mean, rtol=rtol, atol=atol)
    torch.testing.assert_close(left.var, right.var, rtol=rtol, atol=atol)


def part(pred: Prediction, steps: slice) -> Prediction:
    return Prediction(pred.mean[:, steps], pred.var[:, steps])


class Conformance:
    """Inherit, and say what to build. Small float64 models with generic weights."""

    name: str
    arguments: dict[str, Any] = {}  # noqa: RUF012 - overridden, never changed
    uses_actions = True
    window_len = 1
    """Actions inform predictions before them within windows of this length: the plan."""

    open_levels = slice(None)
    """Slow levels whose window is still open when the tests change a plan."""

    def build(self, action_dim: int = A):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            model = mts3.build(self.name, obs_dim=O, action_dim=action_dim, **self.arguments).double()
            for parameter in model.parameters():  # nothing at a special value, such as zero
                parameter.data.add_(0.05 * torch.randn_like(parameter))
        return model.eval()

    @pytest.fixture
    def model(self):
        return self.build()

    @pytest.mark.parametrize("batch", [1, B])
    def test_any_batch_and_length(self, model, batch):
        for steps in (1, H - 1, H, H + 1, 2 * H, 2 * H + 3):
            obs, actions, mask = sequence(steps, batch=batch)
            pred, state = model.observe(obs, actions, mask)
            assert pred.mean.shape == pred.var.shape == (batch, steps, O)
            assert (pred.var > 0).all()
            assert torch.isfinite(pred.mean).all()
            assert state.batch_size == batch

    def test_members_of_a_batch_do_not_mix(self, model):
        obs, actions, mask = sequence(2 * H)
        alone = model(obs[1:2], actions[1:2], mask[1:2])
        together = model(obs, actions, mask)
        assert_same(alone, Prediction(together.mean[1:2], together.var[1:2]))

    def test_calling_is_observing(self, model):
        obs, actions, mask = sequence(H + 2)
        assert_same(model(obs, actions, mask), model.observe(obs, actions, mask)[0], rtol=0, atol=0)

    @pytest.mark.parametrize("windows", [1, 2])
    def test_splitting_at_a_window_boundary_changes_nothing(self, model, windows):
        obs, actions, mask = sequence(3 * H + 2)
        whole, end = model.observe(obs, actions, mask)
        cut = windows * H
        first, state = model.observe(obs[:, :cut], actions[:, :cut], mask[:, :cut])
        second, last = model.observe(obs[:, cut:], actions[:, cut:], mask[:, cut:], state)
        assert_same(first, part(whole, slice(None, cut)))
        assert_same(second, part(whole, slice(cut, None)))
        assert_same(model.imagine(last, actions), model.imagine(end, actions))

    @pytest.mark.parametrize("seen", [H, H + 2])
    def test_observing_nothing_is_imagining(self, model, seen):
        """From the start of a window and from its middle; what lies under the mask does not matter."""
        obs, actions, mask = sequence(seen + 2 * H)
        state = model.observe(obs[:, :seen], actions[:, :seen], mask[:, :seen])[1]
        rest = obs[:, seen:]
        imagined = model.imagine(state, actions[:, seen:])
        unseen = torch.zeros(B, 2 * H, dtype=torch.bool)
        blind = model.observe(rest, actions[:, seen:], unseen, state)[0]
        assert_same(blind, imagined, rtol=1e-12, atol=1e-13)
        assert_same(model.observe(torch.full_like(rest, torch.nan), actions[:, seen:], unseen, state)[0], blind, 0, 0)
        torch.testing.assert_close(model.imagine_mean(state, actions[:, seen:]), imagined.mean, rtol=0, atol=0)

    @pytest.mark.parametrize("t", [0, H - 2, H - 1, H, 2 * H])
    def test_causality_of_actions(self, model, t):
        """Actions after t leave predictions of earlier windows as they were; within t's window they are the plan."""
        obs, actions, _ = sequence(3 * H)
        before = model(obs, actions)
        later = actions.clone()
        later[:, t + 1 :] += 1.0
        past = slice(None, (t + 1) // self.window_len * self.window_len)
        assert_same(part(model(obs, later), past), part(before, past), rtol=0, atol=1e-12)
        now = actions.clone()
        now[:, t] += 1.0
        assert (model(obs, now).mean[:, t] != before.mean[:, t]).any() == self.uses_actions

    def test_masks_by_step_and_by_dimension_agree(self, model):
        obs, actions, mask = sequence(2 * H)
        wide = mask[..., None].expand(-1, -1, O)
        assert_same(model(obs, actions, mask), model(obs, actions, wide), rtol=0, atol=0)
        as_nan = torch.where(wide, obs, torch.nan)
        assert_same(model(obs, actions, mask), model(as_nan, actions, mask), rtol=0, atol=0)
        assert_same(model(obs, actions, mask), model(as_nan, actions), rtol=0, atol=0)

    def test_a_single_missing_dimension_is_never_read(self, model):
        obs, actions, _ = sequence(2 * H)
        mask = torch.ones_like(obs, dtype=torch.bool)
        mask[:, H, 1] = False
        other = obs.clone()
        other[:, H, 1] = torch.nan
        assert_same(model(obs, actions, mask), model(other, actions, mask), rtol=0, atol=0)
        assert (model(obs, actions, mask).mean[:, H] != model(obs, actions).mean[:, H]).any()

    def test_gradients_reach_every_parameter_and_no_masked_value(self, model):
        obs, actions, mask = sequence(3 * H)
        inputs = torch.where(mask[..., None], obs, torch.nan).requires_grad_()
        (-model(inputs, actions, mask).log_prob(obs)).mean().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert (parameter.grad != 0).any(), name
        assert (inputs.grad[~mask] == 0).all()

    def test_inputs_and_states_are_not_changed(self, model):
        obs, actions, mask = sequence(H + 2)
        kept = [x.clone() for x in (obs, actions, mask)]
        state = model.observe(obs, actions, mask)[1]
        first = model.imagine(state, actions)
        model.observe(obs, actions, mask, state)
        assert_same(model.imagine(state, actions), first, rtol=0, atol=0)
        assert all(torch.equal(x, y) for x, y in zip(kept, (obs, actions, mask), strict=True))
        with pytest.raises(dataclasses.FrozenInstanceError):
            state.prior = None

    def test_the_global_seed_is_left_alone(self, model):
        obs, actions, mask = sequence(H)
        before = torch.random.get_rng_state()
        model(obs, actions, mask)
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_float32_agrees_with_float64(self, model):
        obs, actions, mask = sequence(3 * H)
        expected = model(obs, actions, mask)
        single = model.float()(obs.float(), actions.float(), mask)
        assert single.mean.dtype == torch.float32
        assert_same(Prediction(single.mean.double(), single.var.double()), expected, rtol=1e-3, atol=1e-3)

    def test_without_actions(self):
        model = self.build(action_dim=0)
        obs, nothing, mask = sequence(2 * H + 1, action_dim=0)
        pred, state = model.observe(obs, None, mask)
        assert_same(pred, model.observe(obs, nothing, mask)[0], rtol=0, atol=0)
        assert model.imagine(state, horizon=3).mean.shape == (B, 3, O)

    @pytest.mark.parametrize("file", ["", "model.json", "model.safetensors"])
    def test_save_and_load(self, model, tmp_path, file):
        stats = {"obs_mean": [0.5] * O, "obs_std": [2.0] * O, "action_mean": [0.0] * A, "action_std": [1.0] * A}
        model = model.float()
        model.normalizer = Normalizer.from_lists(stats)
        model.save(tmp_path)
        loaded = mts3.load(tmp_path / file)
        obs, actions, mask = sequence(H + 1)
        assert_same(loaded(obs.float(), actions.float(), mask), model(obs.float(), actions.float(), mask), 0, 0)
        assert loaded.normalizer.as_lists() == model.normalizer.as_lists()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


class CausalConformance(Conformance):
    """For models that can go step by step: all but those that look ahead on purpose."""

    @pytest.mark.parametrize("steps", [1, H - 1, 2 * H, 2 * H + 3])
    def test_a_fold_of_step_is_observe(self, model, steps):
        obs, actions, mask = sequence(steps)
        expected, end = model.observe(obs, actions, mask)
        state = model.initial_state(B)
        means, variances = [], []
        for t in range(steps):
            rest = actions[:, t + 1 : (t // self.window_len + 1) * self.window_len]
            pred, state = model.step(state, obs[:, t], actions[:, t], mask[:, t], planned_actions=rest)
            means.append(pred.mean)
            variances.append(pred.var)
        assert_same(Prediction(torch.cat(means, 1), torch.cat(variances, 1)), expected)
        more = sequence(H, seed=1)[1]
        assert_same(model.imagine(state, more), model.imagine(end, more))

    @torch.no_grad()
    def test_a_fold_of_single_steps_without_gradients_is_observe(self, model):
        """As online: one sequence, no gradients, the prepared step too where every part of the model is known."""
        obs, actions, mask = sequence(2 * H + 3, batch=1)
        expected, end = model.observe(obs, actions, mask)
        for step in [model.step, *([model.online().step] if refusal(model) is None else [])]:
            state, preds = model.initial_state(1), []
            for t in range(2 * H + 3):
                rest = actions[:, t + 1 : (t // self.window_len + 1) * self.window_len]
                pred, state = step(state, obs[:, t], actions[:, t], mask[:, t], planned_actions=rest)
                preds.append(pred)
            assert_same(Prediction.cat(preds), expected)
            more = sequence(H, batch=1, seed=1)[1]
            assert_same(model.imagine(state, more), model.imagine(end, more))

    def test_the_plan_may_change_at_any_step(self, model):
        """What was planned and not done leaves no trace."""
        obs, actions, mask = sequence(H + 2)
        rash, plain = model.initial_state(B), model.initial_state(B)
        for t in range(H):
            left = H - 1 - t
            plan = 9.0 * torch.ones(B, left, A, dtype=obs.dtype)
            known = actions[:, t + 1 : H]
            rash = model.step(rash, obs[:, t], actions[:, t], mask[:, t], planned_actions=plan if t == 1 else known)[1]
            plain = model.step(plain, obs[:, t], actions[:, t], mask[:, t], planned_actions=known)[1]
        for left, right in zip(*(getattr(end, "slow", ())[self.open_levels] for end in (rash, plain)), strict=True):
            torch.testing.assert_close(left.closed.mean, right.closed.mean)
            torch.testing.assert_close(left.closed.cov, right.closed.cov)

    def test_a_plan_beyond_the_window_is_not_used(self, model):
        obs, actions, mask = sequence(4 * H)
        state = model.observe(obs[:, :2], actions[:, :2], mask[:, :2])[1]
        exact = actions[:, 3 : max(3, self.window_len)]
        short = model.step(state, obs[:, 2], actions[:, 2], mask[:, 2], planned_actions=exact)[0]
        far = model.step(state, obs[:, 2], actions[:, 2], mask[:, 2], planned_actions=actions[:, 3:])[0]
        assert_same(short, far, rtol=0, atol=0)

    def test_step_without_actions(self):
        model = self.build(action_dim=0)
        obs, _, mask = sequence(1, action_dim=0)
        stepped = model.step(model.initial_state(B), obs[:, 0], None, mask[:, 0])[0]
        assert_same(stepped, model(obs, None, mask))

    @pytest.mark.parametrize("t", [0, H - 2, H - 1, H, 2 * H])
    def test_causality_of_observations(self, model, t):
        """Observations after t leave predictions at and before t as they were; the one at t does not."""
        obs, actions, _ = sequence(3 * H)
        before = model(obs, actions)
        later = obs.clone()
        later[:, t + 1 :] += 10.0
        after = model(later, actions)
        assert_same(part(after, slice(None, t + 1)), part(before, slice(None, t + 1)), rtol=0, atol=1e-12)
        assert (part(after, slice(t + 1, None)).mean != part(before, slice(t + 1, None)).mean).any()
        now = obs.clone()
        now[:, t] += 10.0
        assert (model(now, actions).mean[:, t] != before.mean[:, t]).any()
