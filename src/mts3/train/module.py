"""One model, one loss, one optimizer: what a training and a validation step are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mts3.data.core.masks import forecast, forecast_mask, given, imputation_mask
from mts3.errors import UserError
from mts3.metrics import LikelihoodSums
from mts3.segments import observe_in_segments, predict_in_segments
from mts3.train.averaging import Average
from mts3.train.divergence import check_finite
from mts3.train.objective import Objective, negative_log_likelihood
from mts3.train.options import TrainingOptions
from mts3.train.randomness import generator
from mts3.types import Bool, Tensor

if TYPE_CHECKING:
    from mts3.models import WorldModel


class TrainingModule(LightningModule):
    """Trains a model to predict the next observation through gaps.

    The input loses single steps (`step_drop_rate`) and whole windows (`window_drop_rate`, set by
    `WindowDropCurriculum`), drawn per sequence, and a share of the sequences (`forecast_rate`) is hidden from some
    window on; targets lose nothing but NaN.

    `averaged` follows the model as an exponential moving average of its weights: smoother, better calibrated, and
    the one that is validated and kept. Validation hides everything after the context, always the same way, and
    scores the hidden part, pooled over the whole split: `val_crps`, `val_nrmse` (normalized) and `val_nll` (nats,
    summed over dims). CRPS chooses what is kept: like the NLL it is lowest for the true distribution, but a few
    surprises do not outweigh everything else.

    Args:
        model: Any `mts3.models.WorldModel`.
        options: The masks of a step depend on its seed and the step alone.
        objective: What is made small, (prediction, batch) -> scalar.
    """

    def __init__(
        self, model: WorldModel, options: TrainingOptions, objective: Objective = negative_log_likelihood
    ) -> None:
        super().__init__()
        self.model, self.options, self.objective = model, options, objective
        self.averaged = Average(model, options.average_decay)
        self.window_drop_rate = 0.0
        self._hidden: LikelihoodSums | None = None

    def loss(self, batch: Mapping[str, Tensor], visible: Bool[Tensor, "B T"] | None = None) -> Tensor:
        """The objective of one batch, of which the steps in `visible` may be looked at; None: all of them."""
        inputs = given(batch["obs"], batch["actions"], visible)
        if self.options.recompute:
            return self.objective(observe_in_segments(self.model, *inputs, recompute=True)[0], batch)
        return self.objective(self.model(*inputs), batch)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        size, steps = batch["actions"].shape[:2]
        loss = self.loss(batch, self._training_mask(size, steps).to(batch["obs"].device))
        check_finite("loss", loss, self.current_epoch + 1, batch_idx + 1)
        self.log("train_nll", loss, on_step=True, on_epoch=True, batch_size=size, sync_dist=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Let the average follow each step, before anything is saved."""
        super().optimizer_step(*args, **kwargs)
        self.averaged.update_parameters(self.model)

    def _training_mask(self, batch_size: int, steps: int) -> Bool[Tensor, "B T"]:
        options, position = self.options, self.trainer.fit_loop.epoch_loop.total_batch_idx
        shape = batch_size, steps, options.window_len
        g = generator(options.seed, "masks", position, self.global_rank)
        gaps = imputation_mask(*shape, self.window_drop_rate, options.step_drop_rate, g)
        return gaps & forecast_mask(*shape, options.forecast_rate, g)

    def on_validation_epoch_start(self) -> None:
        """Start the sums afresh."""
        self._hidden = None

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add one batch to the scores of the hidden part."""
        predict = partial(predict_in_segments, self.averaged.module)
        pred, target = forecast(predict, batch["obs"], batch["actions"], self.options.context_len)
        if self._hidden is None:
            self._hidden = LikelihoodSums(*target.shape[1:], levels=())
        self._hidden.add(pred, target)

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
                {"params": decaying, "weight_decay": self.options.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.options.learning_rate,
        )
        if self.options.schedule == "constant":
            return optimizer
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise UserError("train.schedule=cosine needs an end: set trainer.max_epochs or trainer.max_steps")
        # A function of the step: a training resumed with another end goes on along the new curve.
        schedule = LambdaLR(optimizer, lambda step: 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / steps))))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
