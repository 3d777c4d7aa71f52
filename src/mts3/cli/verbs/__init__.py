"""The commands: a file each. Importing them is quick, for `mts3 --help` needs them all."""

from mts3.registry import import_all

import_all(__name__, __path__)
