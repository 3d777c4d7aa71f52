"""Step through a file that `mts3.export.export_step` wrote. Needs numpy and onnxruntime alone: copy it to the robot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


class OnnxStep:
    """A model online: an observation and an action in, the belief about the next observation out.

    Everything is in physical units if the model that was exported had a normalizer, as trained ones do; else in those
    it was built for.

    Args:
        path: The file.
        threads: Of onnxruntime; a step is too small to share.

    Attributes:
        reward: Mean and variance of the reward of the last step; None from a model without that head.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.enable_mem_reuse = False  # planning what to reuse takes longer than a step saves by it
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        about = json.loads(self._session.get_modelmeta().custom_metadata_map["mts3"])
        self._initial = {name: np.array(x["value"], x["dtype"]) for name, x in about["state"].items()}
        self._scales = {name: np.array(values, np.float64) for name, values in about["normalizer"].items()}
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._longest_plan = about["longest_plan"]
        self._inputs = {given.name for given in self._session.get_inputs()}
        self._no_plan = np.zeros((1, 0, len(self._scales["action_mean"])), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything that was observed."""
        self._state, self.reward = dict(self._initial), None

    def step(
        self, obs: np.ndarray, action: np.ndarray | None = None, plan: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take in what is observed and done now.

        Args:
            obs: (O,); NaN where nothing was observed.
            action: (A,), what acts until the next observation; None without actions.
            plan: (n, A), what is known of the actions after it, in order; it may change at every step. What lies
                beyond the window is not used.
        Returns: mean and variance of the next observation, each (O,).
        """
        scale = self._scales
        obs = ((np.asarray(obs)[None] - scale["obs_mean"]) / scale["obs_std"]).astype(np.float32)
        given = {"obs": obs, "obs_mask": np.isfinite(obs), **self._state}
        if "action" in self._inputs:
            given["action"] = self._normalized(action)[None]
        if "plan" in self._inputs:
            given["plan"] = self._no_plan if plan is None else self._normalized(plan[: self._longest_plan])[None]
        out: dict[str, Any] = dict(zip(self._outputs, self._session.run(None, given), strict=True))
        self._state = {name: out[f"next_{name}"] for name in self._state}
        if "reward_mean" in out:
            mean, std = scale["reward_mean"], scale["reward_std"]
            self.reward = out["reward_mean"][0] * std + mean, out["reward_var"][0] * std**2
        return out["mean"][0] * scale["obs_std"] + scale["obs_mean"], out["var"][0] * scale["obs_std"] ** 2

    def _normalized(self, actions: np.ndarray | None) -> np.ndarray:
        if actions is None:
            raise ValueError(f"this model needs an action of {len(self._scales['action_mean'])} numbers at every step")
        actions = (np.asarray(actions) - self._scales["action_mean"]) / self._scales["action_std"]
        return actions.astype(np.float32)
