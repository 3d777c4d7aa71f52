"""Values of a table's columns: text -> numbers, times -> seconds."""
