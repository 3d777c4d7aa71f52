"""A model is weighed before it is built."""

from functools import partial

import pytest
import torch

from mts3.errors import UserError
from mts3.models import MODELS, build
from mts3.store.unbuilt import check_memory, memory_bytes, shapes_of, unbuilt


@pytest.mark.parametrize("name", sorted(MODELS))
def test_it_is_what_would_be_built(name: str) -> None:
    make = partial(build, name, obs_dim=2, action_dim=1)
    before = torch.get_rng_state()
    found = unbuilt(make)
    torch.set_rng_state(before)
    tensors = make().state_dict()
    assert found.shapes == shapes_of(tensors)
    assert found.bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        ("mts3", {"latent_obs_dim": 10**6}, "moving average would take .* TB, this machine has"),
        ("gru", {"units": 10**12}, "a size is beyond any memory"),
        ("lstm", {"units": 10**30}, "beyond any number of steps or units"),
        ("transformer_ar", {"layers": 10**9}, "more than 5000 tensors"),
    ],
)
def test_the_absurd_is_refused_without_building_it(name: str, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_memory(partial(build, name, obs_dim=2, action_dim=1, **argument))


def test_what_fits_passes() -> None:
    assert memory_bytes() > 2**28
    check_memory(partial(build, "mts3", obs_dim=2, action_dim=1))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"latent_obs_dim": 2.5}, "latent_obs_dim must be a whole number, got 2.5"),
        ({"latent_obs_dim": True}, "latent_obs_dim must be a whole number, got True"),
        ({"transition": 3}, "transition must be text, got 3"),
        ({"reward": "yes"}, "reward must be true or false, got 'yes'"),
    ],
)
def test_an_argument_of_another_type_is_named(argument: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build("mts3", obs_dim=2, action_dim=1, **argument)
