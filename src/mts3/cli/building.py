"""The model that a configuration names, for the channels of its data."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from mts3.cli.experiment import Experiment
from mts3.data import change_std, channels_of
from mts3.errors import UserError, unknown_name
from mts3.models import MODELS, DeltaTarget, WorldModel, build, parameters_of
from mts3.store.checks import TARGETS
from mts3.store.unbuilt import check_memory
from mts3.train import seeded


def build_model(config: dict[str, Any], experiment: Experiment) -> WorldModel:
    """Its parameters drawn from the seed.

    Raises:
        UserError: for an unknown model or argument, or a value the model refuses.
    """
    arguments = dict(config["model"])
    name, dataset = arguments.pop("name"), experiment.dataset
    if arguments.get("reward") and not dataset.has_reward:
        raise UserError(f"model.reward=true needs data with a reward; '{dataset.name}' has none")
    if dataset.image_shape is not None and "image_shape" in parameters_of(MODELS.get(name, WorldModel)):
        arguments.setdefault("image_shape", list(dataset.image_shape))
    window_len, sequence_len = arguments.get("window_len"), config["data"]["sequence_len"]
    for length in window_len if isinstance(window_len, list) else [window_len]:
        if isinstance(length, int) and length > 100 * sequence_len:  # sequences are padded to whole windows
            raise UserError(
                f"model.window_len={length} is more than 100 sequences of data.sequence_len={sequence_len} steps; "
                "choose a smaller one"
            )
    make = partial(build, name, obs_dim=dataset.obs_dim, action_dim=dataset.action_dim, **arguments)
    try:
        with seeded(config["seed"]):
            check_memory(make)
    except UserError:
        raise
    except Exception as error:  # whatever a constructor makes of a value it does not expect
        reason = str(error).partition("\n")[0]
        raise UserError(f"model={name}: {reason}") from error
    with seeded(config["seed"]):
        model = make()
    model.normalizer, model.channels = experiment.train.normalizer, channels_of(dataset)
    target = config["train"]["target"]
    if target not in TARGETS:
        raise unknown_name("train.target", target, TARGETS)
    if target == "obs":
        return model
    if model.fitted_in_closed_form:
        raise UserError(f"model {name} is fitted in closed form and predicts changes already: leave train.target out")
    return DeltaTarget(model, torch.from_numpy(change_std(experiment.train.trajectories, model.normalizer)))
