"""Every generated set is made of the same bytes in another process, whatever its global seed, and without a word."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from mts3.data.sets.generators import GENERATED
from mts3.errors import UserError

# One process for all of them: most of its time it imports.
SCRIPT = """if True:
    import numpy as np
    from tests.data.sets.test_another_process import digests

    np.random.seed(5)
    print(*digests(), sep=chr(10))
    assert np.random.random() == np.random.RandomState(5).random()
"""


def digests() -> list[str]:
    """Of an episode of each set, none where its simulator is missing."""
    lines = []
    for name, generated in GENERATED.items():
        recipe = replace(next(iter(generated.recipes.values())), episodes=3, rows=60)
        try:
            (made,) = generated.make_episodes(recipe, range(2, 3), 3)
        except UserError as error:
            if "mts3[sim]" not in str(error):
                raise
            lines.append(f"{name} -")
            continue
        arrays = (made.obs, made.actions) if made.reward is None else (made.obs, made.actions, made.reward)
        lines.append(f"{name} {made.name} {hashlib.sha256(b''.join(a.tobytes() for a in arrays)).hexdigest()}")
    return lines


def test_another_process_makes_the_same_bytes():
    root = Path(__file__).parents[3]
    elsewhere = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True)
    assert (elsewhere.returncode, elsewhere.stderr) == (0, "")  # the simulators' own messages are not for the user
    assert elsewhere.stdout.splitlines() == digests()
