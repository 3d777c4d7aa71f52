"""How long the data sets of the MTS3 paper take to be made anew, in fresh processes and an empty cache.

    python benchmarks/making_data.py            # prints the table, writes benchmarks/results/making_data.json

The four of size `small`, and `maze2d` of size `paper`; seconds of wall time of `mts3 data make`, one process each.
Every set is made twice, and a row says whether both files hold the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mts3.data import load_dataset
from mts3.files import write_aside

SETS = (
    ("maze2d", "small"),
    ("halfcheetah", "small"),
    ("kitchen", "small"),
    ("mobile_robot", "small"),
    ("maze2d", "paper"),
)
RESULT = Path(__file__).parent / "results" / "making_data.json"


def made(name: str, size: str) -> tuple[float, str, int]:
    """Seconds, a checksum of every row, and the number of rows."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from mts3.cli.main import main; main()", "data", "make", name, f"size={size}"]
        output = Path(folder) / "made.npz"
        start = time.perf_counter()
        environment = {**os.environ, "MTS3_CACHE": folder}
        subprocess.run([*command, f"output={output}"], env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        dataset = load_dataset(None, output)
    digest = hashlib.sha256()
    for trajectory in dataset.trajectories:
        digest.update(np.asarray(trajectory.obs).tobytes() + np.asarray(trajectory.actions).tobytes())
    return seconds, digest.hexdigest(), sum(len(t) for t in dataset.trajectories)


def main() -> None:
    rows = []
    for name, size in SETS:
        first, second = made(name, size), made(name, size)
        row = {"data": name, "size": size, "rows": first[2], "seconds": [round(first[0], 1), round(second[0], 1)]}
        rows.append({**row, "same_bytes": first[1] == second[1]})
        print("{data:14} {size:6} {rows:9,} rows   {seconds} s   same bytes: {same_bytes}".format(**rows[-1]))
    machine = {"processes": 1, "cores": os.cpu_count(), "machine": platform.machine()}
    with write_aside(RESULT) as path:
        path.write_text(json.dumps({**machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
