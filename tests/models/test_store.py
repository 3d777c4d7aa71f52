"""What `load` answers to files that are cut, edited or of another model: one line, or the model as it was saved."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import mts3
from mts3.models import DeltaTarget
from tests.damage import cut, edited, refusal

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


@pytest.fixture(params=["mts3", "delta", "linear"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name = "linear" if request.param == "linear" else "mts3"
    small = {} if name == "linear" else {"latent_obs_dim": 2, "window_len": 3, "decoder_hidden": 3}
    model = mts3.build(name, obs_dim=2, action_dim=1, **small)
    one = np.ones(2, np.float32), np.ones(1, np.float32)
    model.normalizer = mts3.Normalizer(0 * one[0], one[0], 0 * one[1], one[1])
    if request.param == "delta":
        model = DeltaTarget(model, torch.ones(2))
    model.save(tmp_path)
    return tmp_path


def loads_or_refuses(folder: Path) -> str | None:
    """None if the model is there and predicts, the one line otherwise."""
    line = refusal(lambda: mts3.load(folder))
    if line is not None:
        return line
    model = mts3.load(folder)
    pred = model(torch.zeros(1, 4, 2), torch.zeros(1, 4, 1))
    assert torch.isfinite(pred.mean).all()
    assert (pred.var > 0).all()
    return None


def test_every_edit_of_the_description_is_refused_in_one_line_or_loads(saved: Path) -> None:
    whole = json.loads((saved / DESCRIPTION).read_text())
    refused = {}
    for what, tree in edited(whole):
        (saved / DESCRIPTION).write_text(json.dumps(tree))
        refused[what] = loads_or_refuses(saved)
    for key in ("model", "arguments", "target", "normalizer"):
        assert refused[f"{key}='removed'"]
    assert refused["target='text'"]
    assert all(refused[f"normalizer.obs_std={value!r}"] for value in ("removed", None, -1, math.nan, True))


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_cut_file_is_refused(saved: Path, name: str) -> None:
    for content in cut((saved / name).read_bytes()):
        (saved / name).write_bytes(content)
        assert "damaged" in (loads_or_refuses(saved) or "")


def _std(value: float | None) -> Callable[[dict], None]:
    def edit(description: dict) -> None:
        description["normalizer"]["obs_std"] = [1.0] if value is None else [1.0, value]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_std(math.nan), "obs_std must hold numbers above 0"),
        (_std(0.0), "obs_std must hold numbers above 0"),
        (_std(-1.0), "obs_std must hold numbers above 0"),
        (_std(1e-60), "obs_std must hold numbers above 0"),  # 0 in float32
        (_std(math.inf), "obs_std must hold numbers above 0"),
        (_std(None), "obs_std has 1 numbers, the model has 2 channels"),
        (lambda d: d.update(target="foo"), "target 'foo', expected one of obs, delta"),
        (lambda d: d["arguments"].update(latent_obs_dim=10**5), "by model.json"),
        (lambda d: d["arguments"].update(latent_obs_dim=10**9), "a size is beyond any memory"),
        (lambda d: d["arguments"].update(window_len=10**30), "beyond any number of steps"),
        (lambda d: d["arguments"].update(latent_obs_dim="2"), "latent_obs_dim must be a whole number, got '2'"),
    ],
)
def test_what_would_predict_nonsense_or_fill_the_memory_is_named(tmp_path: Path, edit, message: str) -> None:
    model = mts3.build("mts3", obs_dim=2, action_dim=1, latent_obs_dim=2)
    one = np.ones(2, np.float32), np.ones(1, np.float32)
    model.normalizer = mts3.Normalizer(0 * one[0], one[0], 0 * one[1], one[1])
    model.save(tmp_path)
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    edit(description)
    (tmp_path / DESCRIPTION).write_text(json.dumps(description))
    assert message in (loads_or_refuses(tmp_path) or "")


@pytest.mark.parametrize("damage", ["nan", "missing", "more", "shape", "whole numbers"])
def test_weights_of_something_else_are_refused(saved: Path, damage: str) -> None:
    tensors = load_file(saved / WEIGHTS)
    name = next(key for key, value in tensors.items() if value.numel() > 1 and value.is_floating_point())
    value = tensors.pop(name)
    if damage == "more":
        tensors["another"] = value.clone()
    replaced = {
        "nan": value * math.nan,
        "more": value.clone(),
        "shape": value.flatten()[:1],
        "whole numbers": value.int(),
    }
    if damage in replaced:
        tensors[name] = replaced[damage]
    save_file(tensors, saved / WEIGHTS)
    assert ("another" if damage == "more" else name) in (loads_or_refuses(saved) or "")


def test_half_precision_loads(tmp_path: Path) -> None:
    """The file holds what the model was converted to: its shapes tell whether it fits."""
    model = mts3.build("gru", obs_dim=2, action_dim=1, units=3).half()
    model.save(tmp_path)
    assert mts3.load(tmp_path).arguments == model.arguments
