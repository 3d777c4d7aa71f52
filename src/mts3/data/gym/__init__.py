"""Recordings of environments of gymnasium."""
