"""Decoders of flat observations: a belief about the state to a belief about the observation, a file each."""

from __future__ import annotations

from mts3.layers.decoders.base import DECODERS, Decoder
from mts3.registry import import_all

import_all(__name__, __path__)

__all__ = ["DECODERS", "Decoder"]
