"""What CONTRIBUTING shows as one file works as one file."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch

import mts3
from mts3.cli.main import main
from mts3.cli.verb import VERBS
from mts3.kernels import BACKENDS
from mts3.layers import DECODERS, TRANSITIONS
from tests.models.conformance import A, H, O, sequence

ROOT = Path(__file__).parents[1]
FILES = dict(re.findall(r"```python\n# (src/\S+)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S))
SIZES = {"latent_obs_dim": 5, "encoder_hidden": 8, "set_encoder_hidden": 8, "decoder_hidden": 8, "window_len": H}


@pytest.fixture
def shown(monkeypatch):
    """Run a file of CONTRIBUTING as the module it would be."""
    kept = [(registry, dict(registry)) for registry in (DECODERS, TRANSITIONS, VERBS)]

    def execute(path):
        folder = ROOT / Path(path).parent
        assert "import_all(__name__, __path__)" in (folder / "__init__.py").read_text()  # a file there is found
        assert not (ROOT / path).exists()
        module = types.ModuleType(path.removeprefix("src/").removesuffix(".py").replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(FILES[path], path, "exec"), module.__dict__)
        return module

    yield execute
    for registry, before in kept:
        registry.clear()
        registry.update(before)


def learns(model):
    """A few steps of gradient descent make the loss of a fixed batch smaller."""
    obs, actions, _ = sequence(3 * H)
    obs, actions = obs.float(), actions.float()
    optimizer, losses = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(8):
        loss = -model(obs[:, :-1], actions[:, :-1]).log_prob(obs[:, 1:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[-1] < losses[0]


def test_a_variance_head(shown, tmp_path):
    shown("src/mts3/layers/decoders/exponential.py")
    torch.manual_seed(0)
    model = mts3.build("mts3", obs_dim=O, action_dim=A, decoder="exponential", **SIZES)
    assert learns(model)
    model.save(tmp_path)
    assert type(mts3.load(tmp_path).fast.decoder).__name__ == "ExponentialDecoder"


def test_a_transition(shown):
    shown("src/mts3/layers/transitions/decay.py")
    torch.manual_seed(0)
    model = mts3.build("mts3", obs_dim=O, action_dim=A, transition="decay", **SIZES)
    assert learns(model)
    assert BACKENDS["associative"].refusal(model.filter_problem()) is None


def test_a_verb(shown, tmp_path, capsys):
    shown("src/mts3/cli/verbs/size.py")
    mts3.RKN(O, A, latent_obs_dim=5).save(tmp_path)
    assert main(["size", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path} ")
    assert main(["--help"]) == 0
    assert "  size        print how many parameters" in capsys.readouterr().out
