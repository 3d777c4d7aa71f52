import pytest

from mts3.errors import UserError
from mts3.train import SequenceDataModule
from mts3.train.data_module import EpochSampler
from tests.train.conftest import Sequences


def order(sampler: EpochSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_every_epoch_is_another_order_of_everything_and_repeats_with_the_seed() -> None:
    sampler = EpochSampler(20, seed=1)
    assert sorted(order(sampler, 0)) == list(range(20))
    assert order(sampler, 0) != order(sampler, 1)
    assert order(sampler, 1) == order(EpochSampler(20, seed=1), 1) != order(EpochSampler(20, seed=2), 1)


def test_processes_share_an_epoch_evenly_and_miss_nothing() -> None:
    shares = [list(EpochSampler(10, seed=0, rank=rank, world_size=3)) for rank in range(3)]
    assert [len(share) for share in shares] == [4, 4, 4] == [len(EpochSampler(10, 0, rank, 3)) for rank in range(3)]
    assert set().union(*shares) == set(range(10))


@pytest.mark.parametrize("world_size", range(1, 10))
def test_every_share_is_equally_long_and_nothing_is_missed(world_size: int) -> None:
    """Also with fewer sequences than processes: one that ran out sooner would leave the others waiting for ever."""
    for n in range(1, 10):
        shares = [list(EpochSampler(n, 0, rank, world_size)) for rank in range(world_size)]
        lengths = {len(share) for share in shares} | {len(EpochSampler(n, 0, rank, world_size)) for rank in range(9)}
        assert lengths == {-(-n // world_size)}
        assert set().union(*shares) == set(range(n))


def test_a_resumed_epoch_goes_on_after_what_was_seen_and_later_epochs_are_whole() -> None:
    sampler = EpochSampler(10, seed=0)
    whole = [order(sampler, epoch) for epoch in (4, 5)]
    sampler.resume(epoch=4, skip=6)
    sampler.set_epoch(4)  # Lightning says so once more
    assert list(sampler) == whole[0][6:]
    assert len(sampler) == 10
    assert order(sampler, 5) == whole[1]


def test_an_empty_split_or_batch_is_refused() -> None:
    with pytest.raises(UserError, match="validation split holds no sequence"):
        SequenceDataModule(Sequences(3, 0), Sequences(0, 0))
    for batch_size in (0, 10**12):
        with pytest.raises(UserError, match=f"train.batch_size must be .* got {batch_size}"):
            SequenceDataModule(Sequences(3, 0), Sequences(3, 0), batch_size)


@pytest.mark.parametrize("num_workers", [-1, 10**6])
def test_a_number_of_workers_out_of_range_is_refused(num_workers: int) -> None:
    with pytest.raises(UserError, match=f"train.num_workers must be .* got {num_workers}"):
        SequenceDataModule(Sequences(3, 0), Sequences(3, 0), num_workers=num_workers)
