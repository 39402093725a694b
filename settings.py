"""What each setting is and may be; values from anywhere are checked here."""

import runpy
import textwrap
import traceback
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from files import PROJECT, UserError

MOST_HIDDEN_LAYERS = 16
MOST_NEURONS = 4096  # in a hidden layer


@dataclass(frozen=True)
class Setting:
    """Type, range and meaning of a setting; the range of a tuple is that of its entries."""

    kind: type
    lowest: float
    highest: float
    meaning: str

    def check(self, value):
        """Return the value as a plain bool, int, float or tuple; ValueError if not allowed."""
        if isinstance(value, np.generic):
            value = value.item()
        if self.kind is tuple:
            if not isinstance(value, (tuple, list)) or not 1 <= len(value) <= MOST_HIDDEN_LAYERS:
                raise ValueError
            entry = Setting(int, self.lowest, self.highest, self.meaning)
            return tuple(entry.check(number) for number in value)
        kinds = (int, float) if self.kind is float else self.kind
        if not isinstance(value, kinds) or isinstance(value, bool) != (self.kind is bool):
            raise ValueError
        if not self.lowest <= value <= self.highest:
            raise ValueError
        return self.kind(value)

    def parse(self, text):
        """The value of a command-line option's text; ValueError if not allowed."""
        if self.kind is tuple:
            return self.check([int(number) for number in text.split(",")])
        return self.check(self.kind(text))

    @property
    def rule(self):
        """What a value must be, in words."""
        if self.kind is bool:
            return "True or False"
        if self.kind is tuple:
            return f"1 to {MOST_HIDDEN_LAYERS} whole numbers from {self.lowest} to {self.highest}"
        number = "a whole number" if self.kind is int else "a number"
        return f"{number} from {self.lowest:.15g} to {self.highest:.15g}"


TRAINING = {
    "alpha": Setting(float, 1e-8, 1e8, "learning rate"),
    "number_of_epochs": Setting(int, 1, 1_000_000, "passes over the training images"),
    "batch_size": Setting(int, 1, 60_000, "images per gradient step"),
    "hidden_layers": Setting(tuple, 1, MOST_NEURONS, "neurons in each hidden layer"),
    "l2": Setting(float, 0, 1, "strength of the L2 penalty on the weights"),
    "decay": Setting(bool, 0, 1, "warm up the learning rate, then let it fall to 0"),
    "deskew": Setting(bool, 0, 1, "straighten the digits and bring them closer to one size"),
    "augment": Setting(bool, 0, 1, "train on randomly distorted copies of the images"),
    "beyond_mnist": Setting(bool, 0, 1, "also train on digits in other styles and on non-digits"),
    "validation_size": Setting(int, 0, 59_999, "training images held out for validation"),
    "seed": Setting(int, 0, 2**32 - 1, "seed of every random choice"),
}
RECOGNITION = {
    "doubtful_below": Setting(float, 0, 1, "probability below which a digit gets a ?"),
    "left_out_below": Setting(float, 0, 1, "probability below which a piece is no digit"),
}
SEEDS = Setting(int, 1, 1000, "number of networks in a study")


def load_config(path=PROJECT / "config.py"):
    """The settings in config.py, unchecked, in a dictionary; other names in it are ignored.

    Raises UserError, which shows the line, if config.py can't be run.
    """
    try:
        values = runpy.run_path(path)  # anew each time, for notebooks
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}") from error
    except SyntaxError as error:
        raise UserError(f"config.py, line {error.lineno}: {error.msg}") from error
    except Exception as error:  # whatever can be typed into a Python file
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        raise UserError(f"config.py, line {line}: {error}") from error
    return {name: values[name] for name in TRAINING | RECOGNITION if name in values}


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
            example = ", such as (128,)" if setting.kind is tuple else ""
            rule = setting.rule + example
            raise UserError(f"{source}: {name} = {shown}: it must be {rule}") from None
    return SimpleNamespace(**checked)
