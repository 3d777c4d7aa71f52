"""Data sets by name, what the package ships, and files that are not there."""

import json
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import yaml

from mts3.data import DATASETS, SequenceDataset, fit_normalizer, leave_out_short, load_dataset, split
from mts3.data.sets.generators import GENERATED
from mts3.data.sets.pam import pressure_set_point
from mts3.errors import UserError

SHIPPED = {"plaza1": (9658, 4, 2), "soil": (26304, 3, 6), "tiago": (6850, 8, 5)}


def _preset(name: str) -> dict:
    return yaml.safe_load((resources.files("mts3") / "configs" / "data" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recordings_and_their_presets(name):
    dataset, preset = load_dataset(name), _preset(name)
    assert (len(dataset.trajectories[0]), dataset.obs_dim, dataset.action_dim) == SHIPPED[name]
    assert dataset.attribution
    assert preset["context_len"] == 2 * preset["window_len"]
    parts = split(dataset, 0, preset["split_fractions"], preset["sequence_len"] + 1)
    normalizer, constant = fit_normalizer(parts.train)
    assert constant == []
    sequences = SequenceDataset(parts.test, normalizer, preset["sequence_len"], preset["test_stride"])
    assert len(sequences) >= 6
    assert not any(sequences[i]["obs"].isnan().any() for i in range(len(sequences)))
    # The test part must ask for something: a system at rest would make persistence perfect.
    moved = [(item["obs"][-1] - item["obs"][preset["context_len"]]).abs().max() for item in sequences]
    assert np.median(moved) > 0.3


def test_presets_and_names_agree_and_hold_the_same_keys():
    folder = resources.files("mts3") / "configs" / "data"
    names = {entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    assert names == {*DATASETS, "file"}
    assert all(_preset(name)["name"] == name for name in names)
    # The first generated sets have one size; another key in their presets would make finished runs look different.
    sized = GENERATED.keys() - {"arm_payload", "bouncing_balls", "pendulum_images", "three_scales", "truck_load"}
    assert {name for name in GENERATED if len(GENERATED[name].recipes) > 1} <= sized
    usual = set(_preset("file"))
    assert all(set(_preset(name)) == usual | ({"size", "seed"} if name in sized else set()) for name in names)
    assert all((_preset(name)["size"], _preset(name)["seed"]) == ("small", 0) for name in sized)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_episodes_are_long_enough_for_their_presets(name):
    preset, recipes = _preset(name), GENERATED[name].recipes
    assert next(iter(recipes)) == "small"
    assert all(recipe.rows > preset["sequence_len"] for recipe in recipes.values())
    assert preset["context_len"] % preset["window_len"] == 0
    assert (
        len({replace(recipe, episodes=1, rows=1) for recipe in recipes.values()}) == 1
    )  # sizes differ in nothing else


def test_shipped_sources_are_credited():
    notice = (resources.files("mts3.data.sets.shipped") / "NOTICE.md").read_text(encoding="utf-8")
    assert all(word in notice for word in ("tiago.npz", "soil.npz", "plaza1.npz", "Apache", "MIT", "BSD"))


@pytest.mark.parametrize(
    ("name", "path", "columns", "words"),
    [
        ("tiagoo", None, None, "unknown data set 'tiagoo': did you mean tiago"),
        ("zzz", None, None, "choose from: " + ", ".join(sorted((*DATASETS, "file")))),
        (None, None, None, r"which data\?.*data=tiago.*data.path=FILE"),
        ("file", None, None, r"which data\?"),
        ("file", "nowhere/log.csv", None, "there is no file nowhere/log.csv"),
        ("soil", "my.csv", None, "takes no path.*data=file data.path=my.csv"),
        ("three_scales", "my.csv", None, "is generated and takes no path"),
        ("soil", None, {"obs": "x"}, "has its own columns"),
        ("three_scales", None, {"obs": "x"}, "has its own columns"),
    ],
)
def test_names_and_paths_that_do_not_work(name, path, columns, words):
    with pytest.raises(UserError, match=words):
        load_dataset(name, path, columns)


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_an_empty_file_a_folder_and_an_unknown_ending(tmp_path, ending):
    path = tmp_path / f"log.{ending}"
    path.touch()
    with pytest.raises(UserError, match=r"is empty \(0 bytes\)"):
        load_dataset(None, path)
    with pytest.raises(UserError, match="is a folder"):
        load_dataset(None, tmp_path)
    other = tmp_path / "log.mat"
    other.write_text("x")
    with pytest.raises(UserError, match=r"ends in '.mat'; expected one of .npz, .csv, .parquet"):
        load_dataset(None, other)


def test_set_points_accumulate_in_time_and_leave_the_limits_at_once():
    action = np.array([[5.0, 1.0]] * 4 + [[-5.0, 1.0]], np.float32)
    set_point = pressure_set_point(action, np.array([0.2, -0.1], np.float32))
    np.testing.assert_allclose(set_point[:, 0], [0.5, 0.8, 1.0, 1.0, 0.7], atol=1e-6)
    np.testing.assert_allclose(set_point[:, 1], [0.0, 0.06, 0.12, 0.18, 0.24], atol=1e-6)


def _episodes(rng):
    return {f"e{i}": (rng.normal(size=(30 + i, 24)), rng.normal(size=(30 + i + i % 2, 8))) for i in range(4)}


def test_pam_from_json_files_and_from_npz_is_the_same(tmp_path, rng, monkeypatch):
    episodes = _episodes(rng)
    folder, other = tmp_path / "json", tmp_path / "npz"
    folder.mkdir(), other.mkdir()
    for name, (ob, action) in episodes.items():
        (folder / f"{name}.json").write_text(json.dumps({"ob": ob.tolist(), "action": action.tolist()}))
    joined = np.concatenate([ob for ob, _ in episodes.values()]).astype(np.float32)
    np.savez(
        other / "pam.npz",
        joint_position=joined[:, :4],
        pressure=joined[:, 8:16],
        action=np.concatenate([action[: len(ob)] for ob, action in episodes.values()]).astype(np.float32),
        episode_length=np.array([len(ob) for ob, _ in episodes.values()]),
        episode_name=np.array(list(episodes)),
    )
    monkeypatch.setenv("MTS3_DATA", str(other))
    from_json, from_npz = load_dataset("pam", folder), load_dataset("pam")
    assert (from_json.obs_dim, from_json.action_dim, len(from_json.trajectories)) == (4, 8, 4)
    for a, b in zip(from_json.trajectories, from_npz.trajectories, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.actions, b.actions)
    first, (ob, action) = from_json.trajectories[0], episodes["e0"]
    np.testing.assert_allclose(first.obs, ob[:-1, :4].astype(np.float32))  # the last row was read after the reset
    np.testing.assert_allclose(first.actions[0], np.clip(ob[0, 8:16] + 0.06 * action[0], 0, 1), atol=1e-6)


def test_pam_that_is_not_there_or_not_pam(tmp_path, rng, monkeypatch):
    monkeypatch.delenv("MTS3_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mts3.data.sets.pam.SOURCE_CHECKOUT", tmp_path)
    with pytest.raises(UserError, match=r"no pam.npz was found; give it with data.path=FILE.*MTS3_DATA"):
        load_dataset("pam")
    with pytest.raises(UserError, match="holds no JSON file"):
        load_dataset("pam", tmp_path)
    with pytest.raises(UserError, match="there is no"):
        load_dataset("pam", tmp_path / "gone.npz")
    np.savez(tmp_path / "other.npz", obs=np.ones(3))
    with pytest.raises(UserError, match="not the PAM file"):
        load_dataset("pam", tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(UserError, match="truncated"):
        load_dataset("pam", tmp_path / "broken.npz")
    for text, words in (("{", "no PAM episode"), ('{"ob": [[1, 2]]}', "no PAM episode"),
                        ('{"ob": [[1, 2]], "action": [[1]]}', r"expected \(T, 24\)")):  # fmt: skip
        (tmp_path / "e.json").write_text(text)
        with pytest.raises(UserError, match=words):
            load_dataset("pam", tmp_path)


def test_the_real_arm_where_it_is_at_hand():
    try:
        dataset = load_dataset("pam")
    except UserError:
        pytest.skip("pam.npz is not at hand")
    preset = _preset("pam")
    assert len(dataset.trajectories) == 2460
    assert leave_out_short(dataset, preset["sequence_len"] + 1)[1] == 0
    set_points = np.concatenate([t.actions for t in dataset.trajectories])
    assert (set_points.min(), set_points.max()) == (0.0, 1.0)
    jumps = [np.abs(t.obs[-1] - t.obs[-2]).max() for t in dataset.trajectories]
    assert np.mean(np.array(jumps) > 0.25) < 0.01  # 58 % before the row read after the reset was left out


@pytest.mark.parametrize(("path", "columns"), [("", None), ("log.csv", [1]), ("log.csv", "x")])
def test_no_path_and_a_mapping_that_is_none(path, columns):
    with pytest.raises(UserError, match="which data" if not path else "column mapping .*; expected keys with values"):
        load_dataset(None, path, columns)
