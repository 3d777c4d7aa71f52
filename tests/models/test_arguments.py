"""What a constructor was given is recorded for every subclass, so that what was saved can be loaded."""

import copy
import pickle

import pytest
import torch

import mts3
from mts3.errors import UserError
from mts3.models import MODELS, DeltaTarget
from tests.models.conformance import A, H, O, assert_same, sequence

SIZES = {"window_len": H, "latent_obs_dim": 6, "encoder_hidden": 8, "decoder_hidden": 8}


class Named(mts3.MTS3):
    """Adds an argument by name, and fixes one of its base."""

    name = "named_of_a_test"

    def __init__(self, obs_dim, action_dim, nudge=0.5, latent_obs_dim=6):
        super().__init__(obs_dim, action_dim, window_len=H, latent_obs_dim=latent_obs_dim)
        self.nudge = nudge


class Passing(mts3.MTS3):
    """Passes on what it does not name."""

    name = "passing_of_a_test"

    def __init__(self, *sizes, nudge=0.5, **others):
        super().__init__(*sizes, **others)
        self.nudge = nudge


class Untold(mts3.MTS3):
    """Has its base's name."""

    def believe(self, state, given):
        return super().believe(state, given)


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(MODELS, "named_of_a_test", Named)
    monkeypatch.setitem(MODELS, "passing_of_a_test", Passing)


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        (lambda: Named(O, A, nudge=0.25), {"obs_dim": O, "action_dim": A, "nudge": 0.25, "latent_obs_dim": 6}),
        (lambda: Passing(O, A, nudge=0.25, **SIZES), {"obs_dim": O, "action_dim": A, "nudge": 0.25, **SIZES}),
        (
            lambda: Passing(O, nudge=0.25, action_dim=A, window_len=[H, 2 * H]),
            {"window_len": [H, 2 * H], "nudge": 0.25},
        ),
    ],
)
def test_what_a_subclass_adds_is_saved_and_loaded(model, arguments, tmp_path):
    model = model()
    assert arguments.items() <= model.arguments.items()
    model.save(tmp_path)
    loaded = mts3.load(tmp_path)
    assert type(loaded) is type(model)
    assert loaded.nudge == 0.25
    assert loaded.arguments == model.arguments
    obs, actions, mask = (x.float() if x.is_floating_point() else x for x in sequence(H + 1))
    assert_same(loaded(obs, actions, mask), model.eval()(obs, actions, mask), rtol=0, atol=0)


def test_every_argument_of_the_constructor_is_recorded_defaults_too():
    model = mts3.build("hiprssm", obs_dim=O, action_dim=A, latent_obs_dim=5)
    assert model.arguments["latent_obs_dim"] == 5
    assert model.arguments["decoder_hidden"] == 240
    assert "self" not in model.arguments


def test_copies_and_pickles_keep_them():
    model = Named(O, A)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(mts3.RKN(O, A)))):
        assert other.arguments["obs_dim"] == O


def test_a_change_target_is_saved_with_those_of_the_model_inside(tmp_path):
    model = DeltaTarget(Named(O, A, nudge=0.25), torch.full((O,), 0.5))
    model.save(tmp_path)
    loaded = mts3.load(tmp_path)
    assert loaded.model.nudge == 0.25


def test_a_class_that_could_not_be_found_again_is_not_saved(tmp_path):
    with pytest.raises(UserError, match=r"a Untold cannot be saved: 'mts3' in .* MODELS.register\(name\)\(Untold\)"):
        Untold(O, A, **SIZES).save(tmp_path / "a")
    with pytest.raises(UserError, match="a Untold cannot be saved"):
        DeltaTarget(Untold(O, A, **SIZES), torch.ones(O)).save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_wrong_arguments_are_pythons_own_error():
    with pytest.raises(TypeError, match="nudges"):
        Named(O, A, nudges=1)
    with pytest.raises(TypeError, match="action_dim"):
        Named(O)


def test_training_hears_of_it_before_the_first_step(tmp_path):
    from mts3.train import fit

    with pytest.raises(UserError, match="a Untold cannot be saved"):
        fit(Untold(O, A, **SIZES), None, None, tmp_path / "run", context_len=2, window_len=H)
    assert not (tmp_path / "run").exists()
