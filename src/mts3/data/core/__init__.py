"""Trajectories, what they are stored in, and what training takes from them."""
