"""The actions of `mts3 data`: a file each."""

from mts3.cli.data_action import ACTIONS
from mts3.registry import import_all

import_all(__name__, __path__)

__all__ = ["ACTIONS"]
