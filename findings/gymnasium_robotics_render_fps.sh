#!/usr/bin/env bash
# gymnasium-robotics 1.4.2 with mujoco 3.11.0: metadata["render_fps"], which gymnasium's environments keep at the rate of
# their steps, says 50 for PointMaze and AntMaze alike. The simulator's own clock moves by 0.01 s in a step of PointMaze
# (100 a second) and by 0.05 s in one of AntMaze (20 a second). Whoever takes a step for 1 / render_fps has times that are
# twice, or 0.4 of, the truth.
# Output: "PointMaze_UMaze-v3: render_fps 50, a step takes 0.01 s" and "AntMaze_UMaze-v5: render_fps 50, a step takes 0.05 s".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    gymnasium==1.4.0 gymnasium-robotics==1.4.2 mujoco==3.11.0 numpy==2.4.6
seen=$("$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import gymnasium
import gymnasium_robotics

gymnasium.register_envs(gymnasium_robotics)
for name, part in (("PointMaze_UMaze-v3", "point_env"), ("AntMaze_UMaze-v5", "ant_env")):
    env = gymnasium.make(name)
    env.reset(seed=0)
    clock = getattr(env.unwrapped, part).data
    before = clock.time
    env.step(env.action_space.sample())
    print(f"{name}: render_fps {env.metadata['render_fps']}, a step takes {clock.time - before:.2g} s")
PYTHON
)
echo "$seen"
[ "$seen" = "PointMaze_UMaze-v3: render_fps 50, a step takes 0.01 s
AntMaze_UMaze-v5: render_fps 50, a step takes 0.05 s" ]
