"""Flaws of recordings: found, reported, and left out where the user asks for it."""
