import sys

import lightning.pytorch as lightning
import pytest
import torch

import mts3
from mts3 import segments
from mts3.metrics import crps_gaussian, nll, rmse
from mts3.prediction import Prediction
from mts3.train import SequenceDataModule, TrainingDiverged, TrainingModule, TrainingOptions
from mts3.train.fit import subnormals_flushed
from mts3.train.quiet import quiet
from tests.train.conftest import CONTEXT, STEPS, WINDOW, Sequences, short_fit, small_model


class Recorder(torch.nn.Module):
    """Stands in for a model: keeps the mask it is shown, predicts zero."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = torch.nn.Parameter(torch.zeros(()))
        self.masks: list[torch.Tensor] = []

    def forward(self, obs: torch.Tensor, actions: torch.Tensor, obs_mask: torch.Tensor) -> Prediction:
        self.masks.append(obs_mask)
        return Prediction(torch.zeros_like(obs) + self.offset, torch.ones_like(obs))


def trainer(**options) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def train(module: TrainingModule, **options) -> lightning.Trainer:
    with quiet():
        ours = trainer(**options)
        ours.fit(module, SequenceDataModule(Sequences(10, 0), Sequences(5, 1), batch_size=4))
    return ours


def test_validation_scores_the_hidden_part_pooled_over_batches_of_any_size() -> None:
    model, data = small_model(), Sequences(5, 1)
    module = TrainingModule(model, TrainingOptions(CONTEXT, WINDOW))
    with quiet():
        ours = trainer()
        (scores,) = ours.validate(module, SequenceDataModule(data, data, batch_size=3), verbose=False)
    seen = ~data.obs[:, :-1].isnan() & (torch.arange(STEPS) < CONTEXT)[:, None]
    with torch.no_grad():
        pred = model(data.obs[:, :-1], data.actions, seen)
    hidden, target = Prediction(pred.mean[:, CONTEXT - 1 :], pred.var[:, CONTEXT - 1 :]), data.obs[:, CONTEXT:]
    assert scores["val_nll"] == pytest.approx(nll(hidden, target).item(), rel=1e-5)
    crps = crps_gaussian(hidden, target)[~target.isnan()].mean().item()
    assert scores["val_crps"] == pytest.approx(crps, rel=1e-5)
    assert scores["val_nrmse"] == pytest.approx(rmse(hidden, target), rel=1e-5)


def test_training_hides_steps_and_windows_but_never_shows_what_was_not_observed() -> None:
    model = Recorder()
    module = TrainingModule(model, TrainingOptions(CONTEXT, WINDOW, step_drop_rate=0.3))
    module.window_drop_rate = 0.75
    train(module, max_epochs=8, limit_val_batches=0)
    masks = torch.cat(model.masks)
    shown = masks.any(-1)
    assert 0.6 < shown[:, :WINDOW].float().mean() < 0.8  # single steps alone: the first window is kept
    assert shown[:, WINDOW:].float().mean() < 0.55  # 0.7 * (1 - 0.375)
    windows = shown.unflatten(1, (-1, WINDOW)).any(-1)
    assert (~windows[:, 1:]).float().mean() > 0.2
    assert (masks != shown[..., None]).any()  # a value that is NaN stays hidden while its neighbour is shown


def test_masks_differ_between_steps_and_repeat_with_the_seed() -> None:
    runs = []
    for seed in (0, 0, 1):
        model = Recorder()
        train(
            TrainingModule(model, TrainingOptions(CONTEXT, WINDOW, seed=seed, step_drop_rate=0.5)),
            max_epochs=2,
            limit_val_batches=0,
        )
        runs.append(model.masks)
    assert all(torch.equal(a, b) for a, b in zip(runs[0], runs[1], strict=True))
    assert not torch.equal(runs[0][0], runs[2][0])
    assert not torch.equal(runs[0][0], runs[0][3])  # the first batch of the second epoch


def test_the_gradient_norm_is_clipped() -> None:
    norms = []

    class Look(lightning.Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer) -> None:
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            if gradients:
                norms.append(torch.nn.utils.get_total_norm(gradients).item())

    module = TrainingModule(small_model(), TrainingOptions(CONTEXT, WINDOW))
    train(module, max_epochs=1, gradient_clip_val=0.1, limit_val_batches=0, callbacks=[Look()])
    assert norms
    assert max(norms) <= 0.1 * (1 + 1e-4)


def test_the_cosine_schedule_ends_at_zero_and_the_constant_one_does_not_move() -> None:
    rates = {}
    for schedule in ("constant", "cosine"):
        module = TrainingModule(small_model(), TrainingOptions(CONTEXT, WINDOW, learning_rate=0.01, schedule=schedule))
        ours = train(module, max_epochs=2, limit_val_batches=0)
        rates[schedule] = ours.optimizers[0].param_groups[0]["lr"]
    assert rates == {"constant": 0.01, "cosine": pytest.approx(0.0, abs=1e-9)}


def test_the_average_is_validated_and_follows_the_weights() -> None:
    model = small_model()
    module = TrainingModule(model, TrainingOptions(CONTEXT, WINDOW, average_decay=0.9))
    start = [p.clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.data += 1.0
    module.averaged.update_parameters(model)  # the first update copies
    assert all(torch.equal(a, b) for a, b in zip(module.averaged.parameters(), model.parameters(), strict=True))
    for parameter in model.parameters():
        parameter.data += 1.0
    module.averaged.update_parameters(model)
    for before, average in zip(start, module.averaged.parameters(), strict=True):
        torch.testing.assert_close(average, before + 1.0 + 10.0 / 11.0)  # decay 1 / (1 + 10)
    assert not any(p.requires_grad for p in module.averaged.parameters())


def test_only_the_networks_matrices_decay() -> None:
    model = small_model()
    module = TrainingModule(model, TrainingOptions(CONTEXT, WINDOW, weight_decay=0.5, schedule="constant"))
    decaying, others = module.configure_optimizers().param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    assert all(p.ndim == 2 for p in decaying["params"])
    assert any("transitions" in names[id(p)] for p in others["params"])
    assert not any("transitions" in names[id(p)] for p in decaying["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize("name", ["mts3", "gru"])
def test_recomputing_changes_neither_loss_nor_gradients(name: str, monkeypatch) -> None:
    monkeypatch.setattr(segments, "FEWEST_STEPS", 1)

    class Keep(lightning.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
            self.loss = trainer.callback_metrics["train_nll"]
            self.gradients = {name: p.grad.clone() for name, p in pl_module.model.named_parameters()}

    kept = {}
    for recompute in (False, True):
        kept[recompute] = Keep()
        module = TrainingModule(small_model(name), TrainingOptions(CONTEXT, WINDOW, recompute=recompute))
        train(
            module,
            max_steps=1,
            max_epochs=1,
            precision="64-true",
            gradient_clip_val=5.0,
            limit_val_batches=0,
            callbacks=[kept[recompute]],
        )
    assert kept[True].loss == pytest.approx(kept[False].loss.item(), rel=1e-12)
    for parameter, gradient in kept[False].gradients.items():
        torch.testing.assert_close(kept[True].gradients[parameter], gradient, rtol=1e-10, atol=1e-12, msg=parameter)
    assert max(g.abs().max() for g in kept[True].gradients.values()) > 1e-3


def test_recomputing_goes_through_segments_and_validation_through_few_steps_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(segments, "STEPS_AT_ONCE", 1)
    monkeypatch.setattr(segments, "FEWEST_STEPS", 1)
    model, lengths = small_model(), []
    observe = type(model).advance

    def spy(self, state, given):
        lengths.append((self.training and self is model, given.steps))
        return observe(self, state, given)

    monkeypatch.setattr(type(model), "advance", spy)
    module = TrainingModule(model, TrainingOptions(CONTEXT, WINDOW, recompute=True))
    train(module, max_epochs=1, limit_train_batches=1, limit_val_batches=1)
    # sqrt(12) steps made up to two windows of 3, once forward and once again backward; one window in validation.
    assert lengths == [(True, 6)] * 4 + [(False, 3)] * 4


can_flush = pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this CPU has no such setting")


def flushing() -> bool:
    return sys.float_info.min * 0.5 == 0.0


@can_flush
def test_training_flushes_subnormal_numbers_and_puts_the_setting_back(tmp_path) -> None:
    model, seen = small_model(), []
    model.register_forward_pre_hook(lambda *_: seen.append(flushing()))
    assert not flushing()
    short_fit(tmp_path / "done", epochs=1, model=model)
    assert seen
    assert all(seen)
    assert not flushing()
    model.fast.marginalization.noise.raw.data.fill_(torch.nan)
    with pytest.raises(TrainingDiverged):
        short_fit(tmp_path / "failed", epochs=1, model=model)
    assert not flushing()


def subnormal_gradients(model: mts3.MTS3, flush: bool) -> int:
    """How many numbers in gradients of parameters and of what lies between are neither zero nor normal."""
    g = torch.Generator().manual_seed(0)
    obs, actions = torch.randn(8, 300, 4, generator=g), torch.randn(8, 300, 2, generator=g)
    target = obs.clone()
    target[:, 60:-1] = torch.nan  # eight windows with nothing to see and, but for the last step, nothing to predict
    loss = nll(model(obs, actions, ~target.isnan() & (torch.arange(300) < 60)[:, None]), target)
    found = 0

    def count(gradients: tuple[torch.Tensor | None, ...], _) -> None:
        nonlocal found
        for x in gradients:
            if x is not None:
                bits = x.contiguous().view(torch.int32) & 0x7FFFFFFF  # a comparison would take them for zero too
                found += ((bits > 0) & (bits < 0x00800000)).sum().item()

    nodes, left = set(), [loss.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            node.register_hook(count)
            left += [following for following, _ in node.next_functions]
    if flush:
        with subnormals_flushed():
            loss.backward()
    else:
        loss.backward()
    return found


@can_flush
@pytest.mark.parametrize("transition", ["dense", "modal"])
def test_a_backward_pass_through_hidden_windows_meets_no_subnormal_number(transition: str) -> None:
    torch.manual_seed(0)
    model = mts3.MTS3(4, 2, transition=transition)
    assert subnormal_gradients(model, flush=False) > 0
    assert subnormal_gradients(model, flush=True) == 0
