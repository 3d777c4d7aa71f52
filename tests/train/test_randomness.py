import pytest
import torch

from mts3.errors import UserError
from mts3.train import generator, seeded


def draw(*key) -> list[float]:
    return torch.rand(4, generator=generator(*key)).tolist()


def test_the_same_key_draws_the_same_numbers_and_any_other_key_others() -> None:
    keys = [(0, "masks"), (1, "masks"), (0, "order"), (0, "masks", 0), (0, "masks", 1), (0, "masks", 1, 0)]
    draws = [draw(*key) for key in keys]
    assert draws == [draw(*key) for key in keys]
    assert len({tuple(numbers) for numbers in draws}) == len(keys)


def test_seeded_repeats_and_puts_the_global_generator_back() -> None:
    before = torch.get_rng_state()
    with seeded(1):
        first = torch.rand(3)
    with seeded(1):
        second = torch.rand(3)
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_a_negative_seed_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="seed must be a whole number >= 0, got -1"):
        generator(-1, "masks")
    with pytest.raises(UserError, match="seed"), seeded(-1):
        pass
