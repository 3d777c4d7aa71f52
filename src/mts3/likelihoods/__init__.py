"""Likelihoods beside the Gaussian of `mts3.prediction`, a file each."""
