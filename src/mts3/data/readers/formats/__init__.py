"""The file formats that are read, one a file: what is registered here, the readers know."""
