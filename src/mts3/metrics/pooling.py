"""What the metrics share: one check of shapes, one mean over the last steps."""

from __future__ import annotations

from mts3.errors import UserError
from mts3.types import Float, Tensor


def check_same_shape(mean: Tensor, target: Tensor) -> None:
    """Refuse a target that would broadcast against the prediction.

    Raises:
        UserError: naming both shapes.
    """
    if mean.shape != target.shape:
        raise UserError(
            f"target has shape {tuple(target.shape)}, the prediction has {tuple(mean.shape)}; "
            "pass obs[:, 1:], the observation each step predicts"
        )


def mean_over_last_steps(
    sums: Float[Tensor, " T"], counts: Float[Tensor, " T"], metric_window: int
) -> Float[Tensor, " T"]:
    """The mean at t over steps t - metric_window + 1 .. t; the first steps use as many as there are.

    Args:
        sums: What was added up at each step.
        counts: How many values that were.
        metric_window: Number of steps, at least 1; may exceed T.
    Returns:
        sum of `sums` / sum of `counts` over the window that ends at t; NaN where that window holds no value.
    Raises:
        UserError: if `metric_window` < 1.
    """
    if metric_window < 1:
        raise UserError(f"metric_window must be a number of steps >= 1, got {metric_window}")
    total = _sum_over_last_steps(sums, metric_window)
    number = _sum_over_last_steps(counts, metric_window)
    return total / number  # 0 / 0 is NaN: nothing was scored here


def _sum_over_last_steps(values: Float[Tensor, " T"], metric_window: int) -> Float[Tensor, " T"]:
    window = min(metric_window, values.shape[0])
    # Sums over explicit windows: a difference of running totals would lose digits to one huge early value.
    padded = values.new_zeros(values.shape[0] + window - 1)
    padded[window - 1 :] = values
    return padded.unfold(0, window, 1).sum(-1)
