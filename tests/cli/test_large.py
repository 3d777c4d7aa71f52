"""A recording that is larger than memory is trained on where it lies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.sparse import sparse_hdf5, sparse_npz

ARRAYS = {"obs": (500, 220_000, 10), "actions": (500, 220_000, 2)}
"""More bytes than 32 bits count in the npz; of 20 GB the training takes no more, the test four times as long."""
MOST = 2**29
"""Bytes that a training takes beyond the program itself; one more number a row would take more."""

TRAIN = """
import resource, sys
import mts3.cli.main, mts3.cli.scores, mts3.cli.train
mts3.cli.scores.plot_results = lambda folder: []

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
code = mts3.cli.main.main(sys.argv[1:])
print("grown by", peak() - before)
sys.exit(code)
"""
SETTINGS = (
    *("model=mts3", "model.latent_obs_dim=4", "model.window_len=5", "trainer.max_epochs=1", "trainer.accelerator=cpu"),
    *("trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "data.window_len=5", "data.context_len=10"),
    *("data.sequence_len=30", "data.train_stride=220000", "data.test_stride=220000"),
)


@pytest.mark.parametrize(("name", "write"), [("big.npz", sparse_npz), ("big.h5", sparse_hdf5)])
def test_training_on_a_large_file_takes_a_small_share_of_it_in_memory(tmp_path: Path, name: str, write):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    path = tmp_path / name
    write(path, ARRAYS)
    size = path.stat().st_size
    assert size > 4 * MOST
    assert path.stat().st_blocks * 512 < 0.1 * size, "the file system keeps no holes: this test would fill the disk"
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
    grown = int(done.stdout.split("grown by ")[1])
    assert 0 < grown < MOST
