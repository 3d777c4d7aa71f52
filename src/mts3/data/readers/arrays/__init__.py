"""Arrays under names, as npz, HDF5 and pickles have them -> data sets."""
