"""Ac-RKN keeps the promises of every model."""

from tests.models.conformance import CausalConformance

SIZES = {"latent_obs_dim": 6, "encoder_hidden": 8, "control_hidden": 8, "decoder_hidden": 8}


class TestAcRKN(CausalConformance):
    name = "acrkn"
    arguments = SIZES


class TestModalAcRKN(CausalConformance):
    name = "acrkn"
    arguments = {**SIZES, "transition": "modal"}  # noqa: RUF012
