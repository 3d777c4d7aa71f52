"""Learnable building blocks: with these a new architecture is a page of code."""

from mts3.layers.control import Control
from mts3.layers.decoder import GaussianDecoder
from mts3.layers.encoder import ActionSetEncoder, GaussianEncoder, ObsEncoder, TripleEncoder
from mts3.layers.gaussian_conditioning import GaussianConditioning
from mts3.layers.gaussian_marginalization import GaussianMarginalization
from mts3.layers.image import ImageDecoder, ImageEncoder, ImageObsEncoder, make_decoder, make_obs_encoder
from mts3.layers.locally_linear import LocallyLinearTransition
from mts3.layers.process_noise import ProcessNoise
from mts3.layers.transition import (
    DenseTransition,
    ModalTransition,
    OscillatorTransition,
    make_transition,
)

__all__ = [
    "ActionSetEncoder",
    "Control",
    "DenseTransition",
    "GaussianConditioning",
    "GaussianDecoder",
    "GaussianEncoder",
    "GaussianMarginalization",
    "ImageDecoder",
    "ImageEncoder",
    "ImageObsEncoder",
    "LocallyLinearTransition",
    "ModalTransition",
    "ObsEncoder",
    "OscillatorTransition",
    "ProcessNoise",
    "TripleEncoder",
    "make_decoder",
    "make_obs_encoder",
    "make_transition",
]
