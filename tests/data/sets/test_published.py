"""What is said to who asks for a recording that is not here, with and without a network."""

import json
import socket

import numpy as np
import pytest

from mts3.data import DATASETS, load_dataset
from mts3.data.sets.published import MTS3
from mts3.errors import UserError


@pytest.fixture
def no_network(monkeypatch):
    """Whoever asks for a name or opens a connection is refused, and counted."""
    asked = []

    def refuse(*args, **options):
        asked.append(args)
        raise OSError(101, "Network is unreachable")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.mark.parametrize(
    ("asked", "ours"),
    [
        ("maze2d-medium-v1", "maze2d"),
        ("mts3_maze", "maze2d"),
        ("HalfCheetah", "halfcheetah"),
        ("halfcheetah-medium-v0", "halfcheetah"),
        ("FrankaKitchen", "kitchen"),
        ("mobile", "mobile_robot"),
    ],
)
def test_a_set_of_the_paper_is_named_with_its_address_and_nobody_is_asked(no_network, asked, ours):
    with pytest.raises(UserError) as caught:
        load_dataset(asked)
    said = str(caught.value)
    assert said.startswith(f"unknown data set '{asked}'")
    assert MTS3[ours] in said
    assert sum(address in said for address in MTS3.values()) == 1
    assert f"data.path={ours}.pkl" in said
    assert f"mts3 data import {ours}.pkl output={ours}.npz" in said
    assert "no checksum is published" in said
    assert no_network == []


def test_the_sets_that_stand_in_for_the_papers_have_its_addresses():
    assert MTS3.keys() <= set(DATASETS)
    assert all(address.startswith("https://") for address in MTS3.values())
    assert len(set(MTS3.values())) == len(MTS3)


def test_any_other_name_is_told_how_to_give_a_file():
    with pytest.raises(
        UserError, match=r"unknown data set 'panda': .* saved, is read with data.path=FILE\.$"
    ) as caught:
        load_dataset("panda")
    assert "http" not in str(caught.value)


def test_pam_says_where_its_source_is_without_asking_there(tmp_path, monkeypatch, no_network):
    monkeypatch.delenv("MTS3_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mts3.data.sets.pam.SOURCE_CHECKOUT", tmp_path)
    for path in (None, tmp_path / "gone", tmp_path):
        with pytest.raises(UserError, match=r"from https://github.com/ALRhub/action-conditional-rkn"):
            load_dataset("pam", path)
    assert no_network == []


def test_the_folder_of_the_source_is_read_as_it_is(tmp_path, rng):
    """Names without an ending; what lies beside the episodes is none."""
    ob, action = rng.normal(size=(2, 30, 24)), rng.normal(size=(2, 30, 8))
    for number, name in enumerate(("20190807-100236", "20190807-100233")):
        episode = {"ob": ob[number].tolist(), "action": action[number].tolist()}
        (tmp_path / name).write_text(json.dumps(episode))
    (tmp_path / "README.md").write_text("not an episode")
    (tmp_path / "older").mkdir()
    dataset = load_dataset("pam", tmp_path)
    assert [t.name for t in dataset.trajectories] == ["20190807-100233", "20190807-100236"]
    np.testing.assert_array_equal(dataset.trajectories[0].obs, ob[1, :-1, :4].astype(np.float32))


def test_minari_without_a_network_says_what_to_do(tmp_path, monkeypatch, no_network):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    name = "D4RL/door/human-v2"
    with pytest.raises(UserError) as as_it_is:  # its client may not be installed, which is said before
        load_dataset(None, f"minari:{name}")
    monkeypatch.setattr(minari, "download_dataset", lambda _: socket.create_connection(("localhost", 9)))
    with pytest.raises(UserError) as without_network:
        load_dataset(None, f"minari:{name}")
    assert no_network
    said = str(without_network.value)
    assert "Network is unreachable" in said
    assert f"copy it to {tmp_path / name} from a computer where `minari download {name}` works" in said
    assert "minari download" in str(as_it_is.value) or 'pip install "minari[hf]"' in str(as_it_is.value)
    assert list(tmp_path.iterdir()) == []
