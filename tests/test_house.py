"""The wing `handwriting/` uses little of the modules at the top."""

import ast

import pytest

from files import PROJECT

CLOSED = {"train", "seed_study", "save_load", "settings", "command_line", "config", "main"}


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "handwriting").glob("*.py")), ids=lambda p: p.name
)
def test_the_wing_imports_neither_the_training_nor_the_settings(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert not imported & CLOSED
