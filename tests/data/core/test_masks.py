"""Masks: rates against their expectation, per sequence, from the generator alone."""

import pytest
import torch

from mts3.data import context_mask, forecast_mask, imputation_mask, random_step_mask


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_single_steps_whole_windows_go_and_never_the_first():
    mask = imputation_mask(400, 47, 10, 0.75, step_drop_rate=0.0, generator=_generator())
    assert mask.shape == (400, 47)
    assert mask.dtype == torch.bool
    for first in range(0, 47, 10):
        window = mask[:, first : first + 10]
        assert (window.all(1) | ~window.any(1)).all()
    assert mask[:, :10].all()
    # p ~ U(0, 0.75) hides 37.5 % of the other windows
    assert mask[:, 10::10].float().mean().item() == pytest.approx(0.625, abs=0.04)


def test_the_window_rate_is_drawn_for_each_sequence():
    mask = imputation_mask(4000, 400, 4, 1.0, step_drop_rate=0.0, generator=_generator())
    kept = mask[:, 4:].float().mean(1)
    # One rate for all would give a spread of sqrt(0.25 / 99) = 0.05; U(0, 1) has one of 0.29.
    assert kept.std().item() == pytest.approx(12**-0.5, abs=0.03)


def test_single_steps_go_everywhere_at_their_rate():
    mask = imputation_mask(200, 300, 30, 0.0, generator=_generator())
    assert mask.float().mean().item() == pytest.approx(0.85, abs=0.01)
    assert not mask[:, :30].all()


def test_short_sequences():
    assert imputation_mask(3, 1, 10, 1.0, 0.0, _generator()).all()
    assert imputation_mask(1, 7, 10, 1.0, 0.0, _generator()).all()


def test_half_the_steps_for_imputation():
    mask = random_step_mask(100, 400, 0.5, _generator())
    assert mask.float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert random_step_mask(2, 3, 0.0, _generator()).all()
    assert not random_step_mask(2, 3, 1.0, _generator()).any()


def test_context():
    assert context_mask(5, 2).tolist() == [True, True, False, False, False]


def test_the_generator_decides_and_the_global_seed_is_left_alone():
    before = torch.get_rng_state()
    draws = [imputation_mask(8, 40, 5, 0.5, generator=_generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_rates_that_are_none():
    with pytest.raises(ValueError, match=r"window_drop_rate is 1\.5"):
        imputation_mask(1, 4, 2, 1.5)
    with pytest.raises(ValueError, match=r"drop_rate is -0\.1"):
        random_step_mask(1, 4, -0.1)
    with pytest.raises(ValueError, match="window_len is 0"):
        imputation_mask(1, 4, 0, 0.5)


def test_forecast_masks_show_whole_windows_and_then_nothing():
    mask = forecast_mask(4000, 50, 20, 0.5, torch.Generator().manual_seed(0))
    shown = mask.sum(1)
    assert (mask == (torch.arange(50) < shown[:, None])).all()
    counts = {int(n): int((shown == n).sum()) for n in shown.unique()}
    assert set(counts) == {20, 40, 50}
    assert counts[20] / 4000 == pytest.approx(1 / 6, abs=0.03)
    assert counts[50] / 4000 == pytest.approx(1 / 2 + 1 / 6, abs=0.03)


@pytest.mark.parametrize(("rate", "always"), [(0.0, True), (1.0, False)])
def test_forecast_rate_at_its_ends(rate, always):
    mask = forecast_mask(500, 60, 20, rate, torch.Generator().manual_seed(1))
    assert mask[:, :20].all()
    assert mask.all() == always


def test_forecast_mask_names_a_rate_that_is_none():
    with pytest.raises(ValueError, match=r"forecast_rate is 2\.0"):
        forecast_mask(2, 10, 5, 2.0)
