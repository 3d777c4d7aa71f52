"""Packaged YAML: the defaults of every command, read by `mts3.cli` alone."""
