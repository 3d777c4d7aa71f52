import lightning.pytorch as lightning
import pytest
import torch

from mts3.errors import UserError
from mts3.metrics import crps_gaussian, gaussian_nll, rmse
from mts3.prediction import Prediction
from mts3.train import SequenceDataModule, TrainingModule
from mts3.train.quiet import quiet
from tests.train.conftest import CONTEXT, STEPS, WINDOW, Sequences, small_model


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
    module = TrainingModule(model, CONTEXT, WINDOW)
    with quiet():
        ours = trainer()
        (scores,) = ours.validate(module, SequenceDataModule(data, data, batch_size=3), verbose=False)
    seen = ~data.obs[:, :-1].isnan() & (torch.arange(STEPS) < CONTEXT)[:, None]
    with torch.no_grad():
        pred = model(data.obs[:, :-1], data.actions, seen)
    hidden, target = Prediction(pred.mean[:, CONTEXT - 1 :], pred.var[:, CONTEXT - 1 :]), data.obs[:, CONTEXT:]
    assert scores["val_nll"] == pytest.approx(gaussian_nll(hidden, target).item(), rel=1e-5)
    crps = crps_gaussian(hidden, target)[~target.isnan()].mean().item()
    assert scores["val_crps"] == pytest.approx(crps, rel=1e-5)
    assert scores["val_nrmse"] == pytest.approx(rmse(hidden, target), rel=1e-5)


def test_training_hides_steps_and_windows_but_never_shows_what_was_not_observed() -> None:
    model = Recorder()
    module = TrainingModule(model, CONTEXT, WINDOW, step_drop_rate=0.3)
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
        train(TrainingModule(model, CONTEXT, WINDOW, seed=seed, step_drop_rate=0.5), max_epochs=2, limit_val_batches=0)
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

    module = TrainingModule(small_model(), CONTEXT, WINDOW)
    train(module, max_epochs=1, gradient_clip_val=0.1, limit_val_batches=0, callbacks=[Look()])
    assert norms
    assert max(norms) <= 0.1 * (1 + 1e-4)


def test_the_cosine_schedule_ends_at_zero_and_the_constant_one_does_not_move() -> None:
    rates = {}
    for schedule in ("constant", "cosine"):
        module = TrainingModule(small_model(), CONTEXT, WINDOW, learning_rate=0.01, schedule=schedule)
        ours = train(module, max_epochs=2, limit_val_batches=0)
        rates[schedule] = ours.optimizers[0].param_groups[0]["lr"]
    assert rates == {"constant": 0.01, "cosine": pytest.approx(0.0, abs=1e-9)}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("schedule", "cosinus", "did you mean cosine"),
        ("learning_rate", 0.0, "learning_rate"),
        ("step_drop_rate", 1.0, "step_drop_rate"),
    ],
)
def test_values_out_of_range_are_refused_by_name(option: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingModule(small_model(), CONTEXT, WINDOW, **{option: value})


def test_the_average_is_validated_and_follows_the_weights() -> None:
    model = small_model()
    module = TrainingModule(model, CONTEXT, WINDOW, average_decay=0.9)
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
    module = TrainingModule(model, CONTEXT, WINDOW, weight_decay=0.5, schedule="constant")
    decaying, others = module.configure_optimizers().param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    assert all(p.ndim == 2 for p in decaying["params"])
    assert any("transitions" in names[id(p)] for p in others["params"])
    assert not any("transitions" in names[id(p)] for p in decaying["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize(
    "option", [{"weight_decay": -1.0}, {"average_decay": 1.0}, {"forecast_rate": 1.5}, {"step_drop_rate": 1.0}]
)
def test_rates_out_of_range_are_named(option: dict[str, float]) -> None:
    with pytest.raises(UserError, match=rf"train.{next(iter(option))} must"):
        TrainingModule(small_model(), CONTEXT, WINDOW, **option)
