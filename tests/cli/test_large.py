"""A recording that is larger than memory is trained on where it lies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.sparse import sparse_hdf5, sparse_npz

ARRAYS = {"obs": (2000, 210_000, 10), "actions": (2000, 210_000, 2)}
GIB = 2**30
TRAIN = """
import resource, sys
from mts3.cli.main import main
code = main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
sys.exit(code)
"""
SETTINGS = (
    *("model=mts3", "model.latent_obs_dim=4", "model.window_len=5", "trainer.max_epochs=1"),
    *("trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "data.window_len=5", "data.context_len=10"),
    *("data.sequence_len=30", "data.train_stride=210000", "data.test_stride=210000"),
)


@pytest.mark.parametrize(("name", "write"), [("big.npz", sparse_npz), ("big.h5", sparse_hdf5)])
def test_training_on_twenty_gigabytes_takes_less_than_two(tmp_path: Path, name: str, write):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    path = tmp_path / name
    write(path, ARRAYS)
    assert path.stat().st_size > 20e9
    assert path.stat().st_blocks * 512 < GIB, "the file system keeps no holes: this test would fill the disk"
    command = [
        sys.executable,
        "-c",
        TRAIN,
        "train",
        f"data.path={path}",
        f"hydra.run.dir={tmp_path / 'run'}",
        *SETTINGS,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "metrics.json").is_file()
    peak = int(done.stdout.split("peak ")[1])
    assert peak < 2 * GIB
