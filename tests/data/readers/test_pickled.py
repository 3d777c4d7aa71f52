"""Files of torch.save with tensors of every kind: what has exact numbers is read, the rest is one clear line."""

import warnings

import numpy as np
import pytest
import torch

from mts3.data import load_dataset
from mts3.errors import UserError

KEYS = ("train_obs", "train_act", "test_obs", "test_act")
VALUES = torch.arange(10.0).reshape(2, 5, 1)


def _saved(path, obs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls some kinds of tensors a beta
        torch.save({key: obs if key == "train_obs" else VALUES for key in KEYS}, path)
    return path


@pytest.mark.parametrize(
    "kind", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "uint8", "uint16", "uint32", "int8", "int64"]
)
def test_numbers_of_every_width_are_read(tmp_path, kind):
    obs = VALUES.to(getattr(torch, kind))
    dataset = load_dataset(None, _saved(tmp_path / "x.pt", obs))
    np.testing.assert_array_equal(dataset.trajectories[0].obs, obs[0].to(torch.float32))


def test_the_imaginary_part_of_a_conjugate_is_read(tmp_path):
    obs = torch.conj(torch.complex(VALUES, VALUES)).imag
    np.testing.assert_array_equal(load_dataset(None, _saved(tmp_path / "x.pt", obs)).trajectories[0].obs, -VALUES[0])


def _quantized():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(VALUES, 0.1, 0, torch.quint8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: VALUES.to(torch.complex64),
        lambda: VALUES.to_sparse(),
        _quantized,
        lambda: VALUES.to("meta"),
        lambda: torch.zeros(2, 5, 1, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        lambda: torch.nested.nested_tensor([VALUES[0], VALUES[1]]),
    ],
    ids=["complex", "sparse", "quantized", "meta", "float4", "nested"],
)
def test_what_has_no_plain_numbers_is_one_clear_line(tmp_path, make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = _saved(tmp_path / "x.pt", make())
    with pytest.raises(UserError, match=r"'train_obs' of .* is a tensor of torch\..*; expected plain numbers") as error:
        load_dataset(None, path)
    assert "\n" not in str(error.value)
