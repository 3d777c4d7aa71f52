"""Record a gymnasium environment while you use it. Train on the result with: mts3 train data.path=pendulum.npz

python examples/record_env.py    # writes pendulum.npz, which must not exist yet
"""

import gymnasium

from mts3.data.gym.recorder import RecordTrajectories

env = RecordTrajectories(gymnasium.make("Pendulum-v1"), "pendulum.npz", sample_time=0.05)
for episode in range(20):
    obs, _ = env.reset(seed=episode)
    over = False
    while not over:
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        over = terminated or truncated
env.close()
