"""The best possible prediction of the three-scale system, on the test parts that models are scored on.

    python benchmarks/three_scales.py --seeds 3      # prints, and writes benchmarks/results/three_scales.json

The Kalman filter that knows the system, with the protocol of `mts3 train data=three_scales seed=N`: the context is
seen, everything later hidden, actions given.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from mts3.cli.config import composed
from mts3.cli.experiment import load_experiment
from mts3.data import batches, context_mask
from mts3.data.sets.generators import optimal_prediction
from mts3.files import write_aside
from mts3.metrics import LikelihoodSums
from mts3.prediction import Prediction

RESULT = Path(__file__).parent / "results" / "three_scales.json"


def optimum(seed: int) -> dict[str, float]:
    """Scores of the optimal prediction on the test part of one split, normalized as models are."""
    config = composed(["data=three_scales", f"seed={seed}"]).config
    test, context = load_experiment(config).test, config["data"]["context_len"]
    std, mean = test.normalizer.obs_std, test.normalizer.obs_mean
    sums = LikelihoodSums(test.sequence_len + 1 - context, test.obs_dim)
    for obs, actions in batches(test, range(len(test)), 64):
        physical = test.normalizer.denormalize_obs(obs[:, :-1]).numpy()
        pushes = actions.numpy() * test.normalizer.action_std + test.normalizer.action_mean
        shown = context_mask(test.sequence_len, context).expand(len(obs), -1).numpy()
        best, var = optimal_prediction(physical, pushes, shown)
        pred = Prediction(torch.from_numpy((best - mean) / std), torch.from_numpy(var / std**2))
        sums.add(pred.steps(slice(context - 1, None)), obs[:, context:].double())
    return {
        "seed": seed,
        "nrmse": sums.errors.rmse(),
        "nll": sums.mean_nll(),
        "crps": sums.mean_crps(),
        "coverage_90": sums.coverage(0.9),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    rows = [optimum(seed) for seed in range(parser.parse_args().seeds)]
    for row in rows:
        print("seed {seed}: NRMSE {nrmse:.3f}, NLL {nll:.3f}, 90 % coverage {coverage_90:.3f}".format(**row))
    with write_aside(RESULT) as path:
        path.write_text(json.dumps({"data": "three_scales", "model": "optimum", "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
