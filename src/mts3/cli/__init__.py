"""The command `mts3`: the only place that knows Hydra."""
