#!/usr/bin/env bash
# gymnasium 1.4.0: MaxAndSkipObservation(skip=4) hands out an old observation where an episode ends within its first
# inner steps. Expected of an episode that ends at inner step 6: the observation 6. Seen: 4, the observation that was
# handed out before. A recording then ends in a row that repeats the one above, and the motion of the last steps is lost.
# Output: "last observation 4, the environment was at 6".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gymnasium==1.4.0 numpy==2.4.6
seen=$("$folder/venv/bin/python" - <<'PYTHON'
import gymnasium
import numpy as np


class Counts(gymnasium.Env):
    """Observes the number of its steps; over after six."""

    observation_space = gymnasium.spaces.Box(0, 100, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.array([0], np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.array([self.steps], np.float32), 1.0, self.steps == 6, False, {}


env = gymnasium.wrappers.MaxAndSkipObservation(Counts(), skip=4)
env.reset()
over = False
while not over:
    obs, _, over, _, _ = env.step(0)
print(f"last observation {obs[0]:g}, the environment was at {env.unwrapped.steps}")
PYTHON
)
echo "$seen"
[ "$seen" = "last observation 4, the environment was at 6" ]
