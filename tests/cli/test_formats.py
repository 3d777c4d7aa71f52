"""MTS3 trains on a recording in every format, named by nothing but its path."""

import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.cli.conftest import MODEL, SHORT, TINY, Command, besides_the_backend

N, T = 8, 41  # trajectories, rows
COLUMNS = ["x", "y", "u"]


def recording() -> tuple[np.ndarray, np.ndarray]:
    """(N, T, 2) observations and (N, T, 1) actions."""
    rng = np.random.default_rng(0)
    actions = rng.normal(size=(N, T, 1)).astype(np.float32)
    moved = 0.2 * actions.cumsum(1) + 0.1 * rng.normal(size=(N, T, 2)).astype(np.float32)
    return moved.astype(np.float32), actions


def csv(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    lines = [
        f"{number};{t};"
        + ";".join(f"{value:.5f}".replace(".", ",") for value in (*obs[number, t], *actions[number, t]))
        for number in range(N)
        for t in range(T)
    ]
    path.write_text("\n".join(["robot;time;obs_x;obs_y;action_u", *lines]))


def parquet(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"obs_x": obs[..., 0], "obs_y": obs[..., 1], "action_u": actions[..., 0]}
    robot = np.repeat([f"r{number}" for number in range(N)], T)
    pq.write_table(pa.table({"robot": robot, **{key: values.ravel() for key, values in columns.items()}}), path)


def npz(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    np.savez(path, obs=obs, actions=actions)


def presplit(obs: np.ndarray, actions: np.ndarray) -> dict[str, np.ndarray]:
    """A dictionary of the published benchmark: what comes next is a target."""
    parts = {"train": slice(6), "test": slice(6, None)}
    return {
        f"{part}_{key}": array[rows]
        for part, rows in parts.items()
        for key, array in (("obs", obs[:, :-1]), ("act", actions[:, :-1]), ("targets", obs[:, 1:]))
    }


def pickled(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    path.write_bytes(pickle.dumps(presplit(obs, actions)))


def torch_saved(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    torch.save({key: torch.from_numpy(array) for key, array in presplit(obs, actions).items()}, path)


def d4rl(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    h5py = pytest.importorskip("h5py")
    ends = np.zeros((N, T), bool)
    ends[:, -1] = True
    with h5py.File(path, "w") as file:
        arrays = {"observations": obs, "actions": actions, "terminals": 0 * ends, "timeouts": ends}
        for key, array in arrays.items():
            file[key] = array.reshape(N * T, *array.shape[2:])


def plain_hdf5(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    with pytest.importorskip("h5py").File(path, "w") as file:
        file["obs"], file["actions"] = obs, actions


def minari(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    """The folder that minari writes."""
    package = pytest.importorskip("minari")
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer

    flags = [False] * (T - 1)
    buffers = [
        EpisodeBuffer(
            observations=o, actions=a[:-1], rewards=list(a[:-1, 0]), terminations=flags, truncations=[*flags[1:], True]
        )
        for o, a in zip(obs, actions, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for an author, a link to code, ...
        patch.setenv("MINARI_DATASETS_PATH", str(path.parent.absolute()))
        package.create_dataset_from_buffers(
            path.name,
            buffers,
            observation_space=Box(-99, 99, (2,), np.float32),
            action_space=Box(-99, 99, (1,), np.float32),
        )


def lerobot(path: Path, obs: np.ndarray, actions: np.ndarray) -> None:
    """A folder of version 3."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (path / "meta").mkdir(parents=True)
    (path / "data" / "chunk-000").mkdir(parents=True)
    features = {
        "observation.state": {"dtype": "float32", "shape": [2], "names": COLUMNS[:2]},
        "action": {"dtype": "float32", "shape": [1], "names": COLUMNS[2:]},
    }
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in ("episode_index", "frame_index")}
    info = {"codebase_version": "v3.0", "fps": 20, "features": features}
    (path / "meta" / "info.json").write_text(json.dumps(info))
    columns = {
        "observation.state": list(obs.reshape(-1, 2)),
        "action": list(actions.reshape(-1, 1)),
        "episode_index": np.repeat(np.arange(N), T),
        "frame_index": np.tile(np.arange(T), N),
    }
    pq.write_table(pa.table(columns), path / "data" / "chunk-000" / "file-000.parquet")


FORMATS: dict[str, tuple[Callable[[Path, np.ndarray, np.ndarray], None], list[str]]] = {
    "log.csv": (csv, ["data.columns.trajectory=robot", "data.columns.time=time"]),
    "log.parquet": (parquet, ["data.columns.trajectory=robot"]),
    "log.npz": (npz, []),
    "official.pkl": (pickled, []),
    "official.pt": (torch_saved, []),
    "d4rl.hdf5": (d4rl, []),
    "plain.h5": (plain_hdf5, []),
    "toy-v0": (minari, []),
    "robot": (lerobot, []),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_trains_two_steps(mts3: Command, name: str) -> None:
    write, columns = FORMATS[name]
    write(Path(name), *recording())
    done = mts3("train", f"data.path={name}", *columns, *TINY, *SHORT, *MODEL)
    assert done.code == 0
    assert all(line.startswith("read ") for line in besides_the_backend(done.err))
    scores = json.loads(Path(f"runs/{Path(name).stem}-mts3-seed0/metrics.json").read_text())
    assert np.isfinite(scores["nrmse"])
    assert len(scores["per_dim"]) == 2
