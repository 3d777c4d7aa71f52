import ast
from pathlib import Path

import mts3
from mts3 import run_layout


def test_no_other_file_writes_down_the_name_of_a_file_in_a_run_folder() -> None:
    names = {*run_layout.RUN_FILES, *run_layout.COMPARISON_FILES, *run_layout.FIGURES, run_layout.LOCK}
    source = Path(mts3.__file__).parent
    found = [
        f"{path.relative_to(source)}: {node.value}"
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert {line.partition(":")[0] for line in found} == {"run_layout.py"}
