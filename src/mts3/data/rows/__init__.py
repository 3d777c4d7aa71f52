"""Rows as a user's file holds them: their columns, codes and times, and how they become regular trajectories."""
