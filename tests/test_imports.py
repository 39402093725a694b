"""The package `handwriting/` stands on few of the modules at the top."""

import re

from files import PROJECT

CLOSED = {"train", "seed_study", "save_load", "settings", "command_line", "config", "main"}


def test_handwriting_imports_neither_the_training_nor_the_settings():
    for path in (PROJECT / "handwriting").glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        assert not CLOSED & {*imported}, path.name
