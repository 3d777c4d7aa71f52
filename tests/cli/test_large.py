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

# Not what getrusage tells: a process inherits the peak of the one that started it, here of all tests.
TRAIN = """
import re, sys
import mts3.cli.main, mts3.cli.scores, mts3.cli.train
mts3.cli.scores.plot_results = lambda folder: []

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])

before = peak()
for name in ("big.npz", "big.h5"):
    assert mts3.cli.main.main(["train", f"data.path={name}", f"hydra.run.dir={name}-run", *sys.argv[1:]]) == 0
    print(f"{name} grown by {peak() - before}")
"""
SETTINGS = (
    *("model=mts3", "model.latent_obs_dim=4", "model.window_len=5", "trainer.max_epochs=1", "trainer.accelerator=cpu"),
    *("trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "data.window_len=5", "data.context_len=10"),
    *("data.sequence_len=30", "data.train_stride=220000", "data.test_stride=220000"),
)


def test_training_on_large_files_takes_a_small_share_of_them_in_memory(tmp_path: Path):
    pytest.importorskip("h5py")
    if not Path("/proc/self/status").exists():
        pytest.skip("nothing here tells the peak of a process")
    for name, write in (("big.npz", sparse_npz), ("big.h5", sparse_hdf5)):
        write(tmp_path / name, ARRAYS)
        found = (tmp_path / name).stat()
        assert found.st_size > 4 * MOST
        assert found.st_blocks * 512 < 0.1 * found.st_size, "the file system keeps no holes: this would fill the disk"
    command = [sys.executable, "-c", TRAIN, *SETTINGS]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    grown = [int(line.split()[-1]) for line in done.stdout.splitlines() if "grown by" in line]
    assert len(grown) == 2
    assert 0 < max(grown) < MOST, done.stdout
