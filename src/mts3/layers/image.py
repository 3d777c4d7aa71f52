"""Images as observations: convolutions to latent evidence and back to a belief about every pixel.

Observations stay flat, (B, T, O) with O = C * H * W; only these layers know that they are images.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import softplus

from mts3.errors import UserError
from mts3.gaussian import Belief, Evidence
from mts3.layers.decoders import DECODERS, Decoder
from mts3.layers.encoder import VAR_FLOOR, ObsEncoder
from mts3.prediction import Prediction
from mts3.types import Bool, Float, Tensor

FILTERS = (16, 32, 32)
"""Of the encoder's convolutions; each halves height and width."""
SHRINK = 2 ** len(FILTERS)
PIXEL_VAR_FLOOR = 0.03
"""No pixel is trusted more than this (normalized units): in an image of something small most pixels are dark nearly
always, and at a floor of 1e-4 a belief wins far more by being sure of those than by following what moves."""


class ImageEncoder(nn.Module):
    """Three convolutions of stride two and one hidden layer to the mean and variance of a latent observation.

    Args:
        image_shape: (C, H, W) of the input, height and width multiples of 8.
        out_dim: Size of mean and variance.
        hidden_dim: Units of the hidden layer.
        extra_dim: Features that join the image before the hidden layer.
    Raises:
        ValueError: for a shape that cannot be halved three times.
    """

    def __init__(self, image_shape: Sequence[int], out_dim: int, hidden_dim: int, extra_dim: int = 0) -> None:
        super().__init__()
        channels, height, width = checked(image_shape)
        first, second, third = FILTERS
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, first, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, third, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        features = third * (height // SHRINK) * (width // SHRINK) + extra_dim
        self.net = nn.Sequential(nn.Linear(features, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 2 * out_dim))

    def forward(
        self, images: Float[Tensor, "N C Y X"], extra: Float[Tensor, "N E"] | None = None
    ) -> tuple[Float[Tensor, "N J"], Float[Tensor, "N J"]]:
        """Mean and variance, each (N, out_dim); N = 0 is fine."""
        features = self.convolutions(images)
        if extra is not None:
            features = torch.cat((features, extra), -1)
        mean, raw_var = self.net(features).chunk(2, -1)
        return mean, softplus(raw_var) + VAR_FLOOR


class ImageObsEncoder(nn.Module):
    """`ObsEncoder` for images: pixels with gaps to evidence about the upper half of a latent.

    The network sees (obs * mask, mask) as channels and, for a set encoder, the phase in the window. A step with
    nothing observed gives exactly zero evidence and costs nothing: only steps with something observed are convolved.

    Args:
        image_shape: (C, H, W), height and width multiples of 8.
        latent_obs_dim: D.
        hidden_dim: Units of the hidden layer.
        with_phase: Append the phase, as the elements of an abstract observation need.
    """

    def __init__(
        self, image_shape: Sequence[int], latent_obs_dim: int, hidden_dim: int, with_phase: bool = False
    ) -> None:
        super().__init__()
        channels, self.height, self.width = checked(image_shape)
        self.encoder = ImageEncoder(
            (2 * channels, self.height, self.width), latent_obs_dim, hidden_dim, extra_dim=int(with_phase)
        )

    def forward(
        self,
        obs: Float[Tensor, "B T O"],
        obs_mask: Bool[Tensor, "B T O"],
        phase: Float[Tensor, "*#B T"] | None = None,
    ) -> Evidence:
        """Evidence (B, T, D) of each step on its own. Arguments as in `ObsEncoder.forward`."""
        observed = obs_mask.any(-1)
        mask = obs_mask[observed]
        pixels = torch.where(mask, obs[observed], 0.0)
        images = torch.cat((pixels, mask.to(obs.dtype)), -1).unflatten(-1, (-1, self.height, self.width))
        extra = None if phase is None else phase.expand(observed.shape)[observed][:, None]
        mean, var = self.encoder(images, extra)
        precision = var.reciprocal()
        return Evidence(_scatter(precision, observed), _scatter(precision * mean, observed))


class ImageDecoder(Decoder):
    """`GaussianDecoder` for images: a belief about the state to mean and variance of every pixel.

    Two networks of transposed convolutions. The mean comes from (mu_u, mu_l); the variance from all five fields:
    which pixels are uncertain depends on where in the image things are, and the mean alone knows that.

    Args:
        latent_obs_dim: D.
        image_shape: (C, H, W), height and width multiples of 8.
        hidden_dim: Units of each hidden layer.
    """

    def __init__(self, latent_obs_dim: int, image_shape: Sequence[int], hidden_dim: int) -> None:
        super().__init__()
        shape = checked(image_shape)
        self.mean_net = _upsampling(2 * latent_obs_dim, shape, hidden_dim)
        self.var_net = _upsampling(5 * latent_obs_dim, shape, hidden_dim)

    def mean(self, belief: Belief) -> Float[Tensor, "B T O"]:
        """The mean of every pixel alone."""
        return self.mean_net(belief.mean.flatten(0, -2)).unflatten(0, belief.mean.shape[:-1])

    def forward(self, belief: Belief) -> Prediction:
        """Prediction (B, T, O) from (B, T) beliefs."""
        fields = torch.cat((belief.mean, belief.cov), -1)
        raw_var = self.var_net(fields.flatten(0, -2)).unflatten(0, fields.shape[:-1])
        return Prediction(self.mean(belief), softplus(raw_var) + PIXEL_VAR_FLOOR)


def make_obs_encoder(
    obs_dim: int,
    latent_obs_dim: int,
    hidden_dim: int,
    with_phase: bool = False,
    image_shape: Sequence[int] | None = None,
) -> ObsEncoder | ImageObsEncoder:
    """The encoder of flat observations, or of images.

    Args:
        obs_dim: O.
        latent_obs_dim: D.
        hidden_dim: Units of the hidden layer.
        with_phase: Append the phase.
        image_shape: (C, H, W) if observations are images.
    Raises:
        ValueError: if `image_shape` does not have `obs_dim` pixels, or cannot be halved three times.
    """
    if image_shape is None:
        return ObsEncoder(obs_dim, latent_obs_dim, hidden_dim, with_phase)
    return ImageObsEncoder(checked(image_shape, obs_dim), latent_obs_dim, hidden_dim, with_phase)


def make_decoder(
    latent_obs_dim: int,
    obs_dim: int,
    hidden_dim: int,
    kind: str = "gaussian",
    image_shape: Sequence[int] | None = None,
) -> Decoder:
    """The decoder to flat observations, or to images.

    Args:
        latent_obs_dim, obs_dim, hidden_dim, image_shape: As in `make_obs_encoder`.
        kind: One of `DECODERS`: "gaussian", "student_t". Images have the Gaussian one alone.
    Raises:
        UserError: for an unknown kind, with the nearest names, or another than "gaussian" for images.
        ValueError: as in `make_obs_encoder`.
    """
    decoder = DECODERS[kind]
    if image_shape is None:
        return decoder(latent_obs_dim, obs_dim, hidden_dim)
    if kind != "gaussian":
        raise UserError(f"decoder={kind} is for flat observations; images have decoder=gaussian")
    return ImageDecoder(latent_obs_dim, checked(image_shape, obs_dim), hidden_dim)


def checked(image_shape: Sequence[int], obs_dim: int | None = None) -> tuple[int, int, int]:
    """`image_shape` as three numbers that these layers can work with.

    Raises:
        ValueError: if it is no such shape, or does not have `obs_dim` pixels.
    """
    shape = tuple(image_shape)
    if len(shape) != 3 or min(shape) < 1 or shape[1] % SHRINK or shape[2] % SHRINK:
        raise ValueError(
            f"expected image_shape (channels, height, width) with height and width multiples of {SHRINK}, as in "
            f"(1, 24, 24), got {shape}: pad or resize the images"
        )
    channels, height, width = shape
    if obs_dim not in (None, channels * height * width):
        raise ValueError(f"image_shape {shape} has {channels * height * width} pixels, obs_dim is {obs_dim}")
    return channels, height, width


def _upsampling(in_dim: int, image_shape: tuple[int, int, int], hidden_dim: int) -> nn.Sequential:
    """(N, in_dim) to (N, C * H * W). Kernels of four at stride two: every pixel gets equally many terms."""
    channels, height, width = image_shape
    last, middle, first = FILTERS
    small = (first, height // SHRINK, width // SHRINK)
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim),
        nn.ReLU(),
        nn.Linear(hidden_dim, small[0] * small[1] * small[2]),
        nn.ReLU(),
        nn.Unflatten(-1, small),
        nn.ConvTranspose2d(first, middle, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(middle, last, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(last, channels, 4, stride=2, padding=1),
        nn.Flatten(),
    )


def _scatter(values: Float[Tensor, "N D"], place: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
    """`values` where `place` is True, in order; zero elsewhere."""
    return values.new_zeros(*place.shape, values.shape[-1]).index_put(place.nonzero(as_tuple=True), values)
