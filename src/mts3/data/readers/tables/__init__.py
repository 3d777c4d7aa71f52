"""Tables, as CSV and Parquet have them -> data sets."""
