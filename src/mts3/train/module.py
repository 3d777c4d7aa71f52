"""One model, one loss, one optimizer: what a training and a validation step are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mts3.data.core.masks import context_mask, forecast_mask, imputation_mask
from mts3.errors import UserError, unknown_name
from mts3.metrics import GaussianSums, gaussian_nll
from mts3.models.segments import observe_in_segments, predict_in_segments
from mts3.train.averaging import Average
from mts3.train.divergence import check_finite
from mts3.train.randomness import generator
from mts3.types import Bool, Tensor

if TYPE_CHECKING:
    from mts3.models import WorldModel

SCHEDULES = ("constant", "cosine")


class TrainingModule(LightningModule):
    """Trains a model to predict the next observation through gaps.

    Loss: the Gaussian negative log-likelihood of obs[t+1] under the belief pred[t], summed over observed dims, mean
    over steps and batch; the same of the reward is added where the model tells one. The input loses single steps
    (`step_drop_rate`) and whole windows (`window_drop_rate`, set by `WindowDropCurriculum`), drawn per sequence, and a
    share of the sequences (`forecast_rate`) is hidden from some window on; targets lose nothing but NaN.

    `averaged` follows the model as an exponential moving average of its weights: smoother, better calibrated, and
    the one that is validated and kept. Validation hides everything after the context, always the same way, and
    scores the hidden part, pooled over the whole split: `val_crps`, `val_nrmse` (normalized) and `val_nll` (nats,
    summed over dims). CRPS chooses what is kept: like the NLL it is lowest for the true distribution, but a few
    surprises do not outweigh everything else.

    Args:
        model: Any `mts3.models.WorldModel`.
        context_len: Steps observed in validation.
        window_len: Steps of the windows that are dropped together.
        seed: The run's seed; the masks of a step depend on it and the step alone.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW, on the weight matrices of the networks; biases and what the Gaussian inference
            learns (transitions, noise) do not decay.
        schedule: "constant", or "cosine" from `learning_rate` to 0 over the whole training.
        step_drop_rate: Probability of hiding a single step.
        forecast_rate: Share of sequences hidden from some window to the end; 0 trains as the papers do.
        average_decay: Of the moving average, in [0, 1); 0 keeps the weights as they are.
        recompute: Compute activations again in the backward pass in place of keeping them, segment by segment: memory
            grows with the square root of the sequence length, a step takes about 1.4 times as long. The same training.
    Raises:
        UserError: if a value lies outside its range.
    """

    def __init__(
        self,
        model: WorldModel,
        context_len: int,
        window_len: int,
        seed: int = 0,
        learning_rate: float = 3e-3,
        schedule: str = "cosine",
        weight_decay: float = 0.0,
        step_drop_rate: float = 0.15,
        forecast_rate: float = 0.5,
        average_decay: float = 0.98,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        if schedule not in SCHEDULES:
            raise unknown_name("train.schedule", schedule, SCHEDULES)
        if not 0.0 < learning_rate < math.inf:
            raise UserError(f"train.learning_rate must be a number above 0, got {learning_rate}")
        if not 0.0 <= weight_decay < math.inf:
            raise UserError(f"train.weight_decay must be a number >= 0, got {weight_decay}")
        for name, rate in {"step_drop_rate": step_drop_rate, "average_decay": average_decay}.items():
            if not 0.0 <= rate < 1.0:
                raise UserError(f"train.{name} must lie in [0, 1), got {rate}")
        if not 0.0 <= forecast_rate <= 1.0:
            raise UserError(f"train.forecast_rate must lie in [0, 1], got {forecast_rate}")
        self.model = model
        self.averaged = Average(model, average_decay)
        self.window_drop_rate = 0.0
        self._context_len, self._window_len, self._seed = context_len, window_len, seed
        self._learning_rate, self._schedule, self._weight_decay = learning_rate, schedule, weight_decay
        self._step_drop_rate, self._forecast_rate = step_drop_rate, forecast_rate
        self._recompute = recompute
        self._hidden: GaussianSums | None = None

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        obs, target = batch["obs"][:, :-1], batch["obs"][:, 1:]
        shown = self._training_mask(obs.shape[0], obs.shape[1]).to(obs.device)
        given = obs, batch["actions"], ~obs.isnan() & shown[..., None]
        pred = observe_in_segments(self.model, *given, recompute=True)[0] if self._recompute else self.model(*given)
        loss = gaussian_nll(pred, target)
        if pred.reward is not None:
            if "reward" not in batch:
                raise UserError("the model tells a reward and the data hold none: build it with reward=False")
            loss = loss + gaussian_nll(pred.reward, batch["reward"])
        check_finite("loss", loss, self.current_epoch + 1, batch_idx + 1)
        self.log("train_nll", loss, on_step=True, on_epoch=True, batch_size=obs.shape[0], sync_dist=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Let the average follow each step, before anything is saved."""
        super().optimizer_step(*args, **kwargs)
        self.averaged.update_parameters(self.model)

    def _training_mask(self, batch_size: int, steps: int) -> Bool[Tensor, "B T"]:
        position = self.trainer.fit_loop.epoch_loop.total_batch_idx
        g = generator(self._seed, "masks", position, self.global_rank)
        gaps = imputation_mask(batch_size, steps, self._window_len, self.window_drop_rate, self._step_drop_rate, g)
        return gaps & forecast_mask(batch_size, steps, self._window_len, self._forecast_rate, g)

    def on_validation_epoch_start(self) -> None:
        """Start the sums afresh."""
        self._hidden = None

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add one batch to the scores of the hidden part."""
        obs, target = batch["obs"][:, :-1], batch["obs"][:, 1:]
        shown = context_mask(obs.shape[1], self._context_len).to(obs.device)
        mask = ~obs.isnan() & shown[:, None]
        pred = predict_in_segments(self.averaged.module, obs, batch["actions"], mask)
        hidden = slice(self._context_len - 1, None)  # pred[t] is about obs[t + 1]
        if self._hidden is None:
            self._hidden = GaussianSums(*target[:, hidden].shape[1:], levels=())
        self._hidden.add(pred.steps(hidden), target[:, hidden])

    def on_validation_epoch_end(self) -> None:
        """Log `val_crps`, `val_nrmse` and `val_nll`."""
        # Every process has validated the same sequences: a mean over processes changes nothing.
        assert self._hidden is not None
        self.log("val_crps", self._hidden.mean_crps(), sync_dist=True)
        self.log("val_nll", self._hidden.mean_nll(), sync_dist=True)
        self.log("val_nrmse", self._hidden.errors.rmse(), sync_dist=True)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as the trainer says, after a look at the norm."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        # A scaled float16 loss overflows on purpose now and then, and its scaler skips the step.
        if self.trainer.precision != "16-mixed":
            norm = torch.nn.utils.get_total_norm(gradients)
            check_finite("gradient norm", norm, self.current_epoch + 1, self.trainer.fit_loop.epoch_loop.batch_idx + 1)
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def configure_optimizers(self) -> Any:
        """AdamW, with the chosen schedule stepped every batch."""
        decaying = [module.weight for module in self.model.modules() if isinstance(module, nn.Linear)]
        others = [p for p in self.model.parameters() if all(p is not d for d in decaying)]
        optimizer = AdamW(
            [
                {"params": decaying, "weight_decay": self._weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self._learning_rate,
        )
        if self._schedule == "constant":
            return optimizer
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise UserError("train.schedule=cosine needs an end: set trainer.max_epochs or trainer.max_steps")
        # A function of the step: a training resumed with another end goes on along the new curve.
        schedule = LambdaLR(optimizer, lambda step: 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / steps))))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
