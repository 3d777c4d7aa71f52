"""Learnable building blocks: with these a new architecture is a page of code."""

from mts3.layers.control import Control
from mts3.layers.decoders import DECODERS
from mts3.layers.decoders.gaussian import GaussianDecoder
from mts3.layers.decoders.student_t import StudentTDecoder
from mts3.layers.encoder import ActionSetEncoder, GaussianEncoder, ObsEncoder, TripleEncoder
from mts3.layers.gaussian_conditioning import GaussianConditioning
from mts3.layers.gaussian_marginalization import GaussianMarginalization
from mts3.layers.image import ImageDecoder, ImageEncoder, ImageObsEncoder, make_decoder, make_obs_encoder
from mts3.layers.process_noise import ProcessNoise
from mts3.layers.transitions import TRANSITIONS, make_transition
from mts3.layers.transitions.dense import DenseTransition
from mts3.layers.transitions.locally_linear import LocallyLinearTransition
from mts3.layers.transitions.modal import ModalTransition, OscillatorTransition

__all__ = [
    "DECODERS",
    "TRANSITIONS",
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
    "StudentTDecoder",
    "TripleEncoder",
    "make_decoder",
    "make_obs_encoder",
    "make_transition",
]
