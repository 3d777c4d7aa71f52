"""Learnable building blocks: with these a new architecture is a page of code."""

from mts3.layers.control import Control
from mts3.layers.decoder import GaussianDecoder
from mts3.layers.encoder import ActionSetEncoder, GaussianEncoder, ObsEncoder
from mts3.layers.gaussian_conditioning import GaussianConditioning
from mts3.layers.gaussian_marginalization import GaussianMarginalization
from mts3.layers.process_noise import ProcessNoise
from mts3.layers.transition import (
    BandedTransition,
    DenseTransition,
    ModalTransition,
    make_transition,
)

__all__ = [
    "ActionSetEncoder",
    "BandedTransition",
    "Control",
    "DenseTransition",
    "GaussianConditioning",
    "GaussianDecoder",
    "GaussianEncoder",
    "GaussianMarginalization",
    "ModalTransition",
    "ObsEncoder",
    "ProcessNoise",
    "make_transition",
]
