"""Type and range of each setting; values from anywhere are checked here."""

import argparse
import ast
import re
import runpy
import textwrap
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from files import PROJECT, UserError

CONFIG = PROJECT / "config.py"
MOST_HIDDEN_LAYERS = 16


@dataclass(frozen=True)
class Setting:
    """Type and range of a setting; the range of a tuple is that of its entries."""

    kind: type
    lowest: float
    highest: float

    def check(self, value):
        """Return a plain bool, int, float or tuple, (128,) for 128; ValueError if not allowed."""
        if isinstance(value, np.generic):
            value = value.item()
        if self.kind is tuple:
            entries = value if isinstance(value, (tuple, list)) else [value]
            if not 1 <= len(entries) <= MOST_HIDDEN_LAYERS:
                raise ValueError
            return tuple(Setting(int, self.lowest, self.highest).check(entry) for entry in entries)
        kinds = (int, float) if self.kind is float else self.kind
        if not isinstance(value, kinds) or isinstance(value, bool) != (self.kind is bool):
            raise ValueError
        if not self.lowest <= value <= self.highest:
            raise ValueError
        return self.kind(value)

    def parse(self, text):
        """The value of a command-line option's text; argparse.ArgumentTypeError if not allowed."""
        try:
            return self.check(ast.literal_eval(text))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise argparse.ArgumentTypeError(f"{text!r} is not {self.rule}") from None

    @property
    def rule(self):
        """What a value must be, in words."""
        if self.kind is bool:
            return "True or False"
        if self.kind is tuple:
            numbers = f"whole numbers from {self.lowest} to {self.highest}"
            return f"1 to {MOST_HIDDEN_LAYERS} {numbers}, such as 500,150"
        number = "a whole number" if self.kind is int else "a number"
        return f"{number} from {self.lowest:.15g} to {self.highest:.15g}"


TRAINING = {
    "alpha": Setting(float, 1e-8, 1e8),
    "number_of_epochs": Setting(int, 1, 1_000_000),
    "batch_size": Setting(int, 1, 60_000),
    "hidden_layers": Setting(tuple, 1, 4096),
    "l2": Setting(float, 0, 1),
    "decay": Setting(bool, 0, 1),
    "deskew": Setting(bool, 0, 1),
    "augment": Setting(bool, 0, 1),
    "beyond_mnist": Setting(bool, 0, 1),
    "validation_size": Setting(int, 0, 59_999),
    "seed": Setting(int, 0, 2**32 - 1),
}
RECOGNITION = dict.fromkeys(("doubtful_below", "left_out_below"), Setting(float, 0, 1))
SEEDS = Setting(int, 1, 1000)  # networks of a study


def load_config(path=CONFIG):
    """The settings in config.py, unchecked, in a dictionary. Raises UserError if it can't run."""
    try:
        values = runpy.run_path(path)  # anew each time, for notebooks
    except Exception as error:
        raise UserError(f"config.py: {type(error).__name__}: {error}") from error
    return {name: values[name] for name in TRAINING | RECOGNITION if name in values}


def load_meanings():
    """The meaning of each setting, in a dictionary: the comment beside it in config.py."""
    text = CONFIG.read_text("utf-8", "replace")
    return dict(re.findall(r"^(\w+) = .+?# (.+)$", text, re.MULTILINE))


def check_settings(values, allowed, source):
    """Check settings against a table such as TRAINING; return a namespace of plain values.

    values: a dictionary; names that are not in the table are ignored. Raises UserError, naming
    `source` and the setting, if one is missing or has a value that is not allowed.
    """
    if missing := [name for name in allowed if name not in values]:
        raise UserError(f"{source}: {missing[0]} is missing: it must be {allowed[missing[0]].rule}")
    checked = {}
    for name, setting in allowed.items():
        try:
            checked[name] = setting.check(values[name])
        except ValueError:
            shown = textwrap.shorten(repr(values[name]), 80, placeholder="...")
            message = f"{source}: {name} = {shown}: it must be {setting.rule}"
            raise UserError(message) from None
    return SimpleNamespace(**checked)
