#!/usr/bin/env bash
# pyarrow 26.0.1: to_numpy() of a column of a table (ChunkedArray) with dictionary type reads a null as the last value of the
# dictionary. to_pylist(), and to_numpy() of one of its chunks, give None. Text columns have this type where a Parquet file
# is read with read_dictionary, categorical ones of pandas always. Expected: None or NaN where the null is.
# Output: "column ['on' 'off' 'off'], its chunk ['on' None 'off']".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
seen=$("$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

file = f"{sys.argv[1]}/log.parquet"
pq.write_table(pa.table({"valve": ["on", None, "off"]}), file)
column = pq.read_table(file, read_dictionary=["valve"])["valve"]
print(f"column {column.to_numpy()}, its chunk {column.chunk(0).to_numpy(zero_copy_only=False)}")
PYTHON
)
echo "$seen"
[ "$seen" = "column ['on' 'off' 'off'], its chunk ['on' None 'off']" ]
