"""The program on the command line: its options, derived from config.py, and how it ends."""

import argparse
import importlib
import inspect
import os
import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

from utils import UserError

PROJECT = Path(__file__).parent
SEEDS = (int, 1, 1000)  # how many networks --seeds may train
MOST_HIDDEN_LAYERS = 16  # of the largest, they take 2 GB in a model file


def parse_command_line(train_model, arguments=None):
    """What to do and with which settings: config.py's, overridden on the command line.

    train_model: default of --train-model. arguments: list of str, by default sys.argv[1:].

    Returns two namespaces: the options (train_model, resume, predict, draw, seeds, model,
    plots_dir, show_plots, and doubtful_below from config.py) and the other settings of config.py,
    all for training. Raises UserError if config.py or train_model holds a wrong value. A wrong
    option ends the program with a usage line and exit status 2.
    """
    if not isinstance(train_model, bool):
        raise UserError(f"main.py: train_model = {train_model!r}: it must be True or False")
    config, settings = read_config()
    doubtful_below = settings.pop("doubtful_below")
    parser = argparse.ArgumentParser(
        usage="python main.py [--train-model | --resume FILE | --predict FILE ... | --draw] "
        "[options], see python main.py --help",
        description="Read handwritten digits: show the trained network, train a new one, or read "
        "digits of your own.",
        allow_abbrev=False,
    )
    either = argparse.BooleanOptionalAction
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--train-model",
        action=either,
        default=train_model,
        help=f"train a network, instead of loading the trained one (default: {train_model})",
    )
    modes.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="go on with a training that was interrupted and left its .partial.npz file",
    )
    modes.add_argument(
        "--predict",
        nargs="+",
        metavar="FILE",
        help="read the digits in pictures: PNG, JPEG, WebP, BMP, TIFF and some other formats",
    )
    modes.add_argument("--draw", action="store_true", help="read digits you draw with the mouse")
    parser.add_argument(
        "--seeds",
        type=option_type(SEEDS),
        metavar="N",
        default=1,
        help="train N networks that differ in their seed, as many at once as there are cores, and "
        f"keep the first: {range_text(*SEEDS)} (default: 1)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PATH",
        help="file to load the network from, or to save it to (default: trained_model.npz, or "
        "with --resume the one that the interrupted training was for)",
    )
    parser.add_argument(
        "--plots-dir",
        type=Path,
        metavar="DIR",
        default=PROJECT / "plots",
        help="folder for the pictures (default: plots)",
    )
    parser.add_argument(
        "--show-plots",
        action=either,
        default=True,
        help="open the pictures in windows at the end, if there is a display (default: True)",
    )
    training = parser.add_argument_group("training options, from config.py")
    meanings = dict(re.findall(r"^(\w+) = .*  # (.+)$", inspect.getsource(config), re.MULTILINE))
    for name, value in settings.items():
        if isinstance(value, bool):
            form = {"action": either, "help": meanings[name]}
        else:
            allowed = config.allowed[name]
            form = {"type": option_type(allowed), "metavar": "X"}
            form["help"] = f"{meanings[name]}: {range_text(*allowed)}"
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        form["help"] += f" (default: {shown})"
        training.add_argument(option_name(name), default=argparse.SUPPRESS, **form)
    options = vars(parser.parse_args(arguments))
    options["doubtful_below"] = doubtful_below
    if options["predict"] or options["draw"] or options["resume"]:
        options["train_model"] = False  # whatever main.py says
    if options["model"] is None:
        options["model"] = whole_path(options["resume"] or PROJECT / "trained_model.npz")
    overrides = {name: options.pop(name) for name in settings if name in options}
    training_only = [*overrides, "seeds"] if options["seeds"] > 1 else [*overrides]
    if training_only and not options["train_model"]:
        names = ", ".join(map(option_name, training_only))
        if options["resume"]:
            parser.error(f"{names}: an interrupted training goes on with its own settings")
        parser.error(f"{names}: only for training, so add --train-model")
    return SimpleNamespace(**options), SimpleNamespace(**settings | overrides)


def read_config():
    """Import config.py; return the module and its settings by name, all within their ranges."""
    try:
        config = importlib.import_module("config")
    except Exception as error:  # whatever can be typed into a Python file
        raise UserError(f"config.py: {error}") from error
    settings = check_settings(vars(config), config.allowed | config.allowed_in_reading, "config.py")
    return config, settings


def check_settings(values, allowed, source):
    """The settings among values, a dictionary; UserError if one is missing or out of its range.

    allowed: as in config.py. source: where the values come from, for the error.
    """
    for name, (kind, lowest, highest) in allowed.items():
        if name not in values:
            raise UserError(f"{source}: {name} is missing")
        if not is_allowed(values[name], kind, lowest, highest):
            text = range_text(kind, lowest, highest)
            raise UserError(f"{source}: {name} = {values[name]!r}: it must be {text}")
    return {name: values[name] for name in allowed}


def training_settings(values, source):
    """The settings of training among values, a dictionary, as `check_settings` checks them."""
    return SimpleNamespace(
        **check_settings(values, importlib.import_module("config").allowed, source)
    )


def partial_path(model):
    """Where an interrupted training for the file `model` keeps what it has learnt."""
    return model.with_suffix(".partial.npz")


def whole_path(model):
    """The file that `model` is a part of, if it is named as `partial_path` names it."""
    return model.with_name(model.name.replace(".partial.npz", ".npz"))


def is_allowed(value, kind, lowest, highest):
    """Whether a value has the type `kind` and lies from lowest to highest (or all its entries)."""
    if kind is tuple:
        return (
            isinstance(value, tuple)
            and 1 <= len(value) <= MOST_HIDDEN_LAYERS
            and all(is_allowed(entry, int, lowest, highest) for entry in value)
        )
    if kind is not bool and isinstance(value, bool):  # Python's True is an int, too
        return False
    types = (int, float) if kind is float else kind
    return isinstance(value, types) and lowest <= value <= highest


def range_text(kind, lowest, highest):
    """The range in words, for help and errors."""
    if kind is bool:
        return "True or False"
    if kind is float:
        return f"a number from {lowest:g} to {highest:g}"
    if kind is tuple:
        return (
            f"up to {MOST_HIDDEN_LAYERS} whole numbers from {lowest} to {highest}, "
            "separated by commas"
        )
    return f"a whole number from {lowest} to {highest}"


def option_name(name):
    """The option that overrides a setting: --batch-size for batch_size."""
    return "--" + name.replace("_", "-")


def option_type(allowed):
    """The function that turns an option's text into the value of a setting, or refuses it."""
    kind = allowed[0]

    def convert(text):
        try:
            value = tuple(map(int, text.split(","))) if kind is tuple else kind(text)
        except ValueError:
            value = None
        if value is None or not is_allowed(value, *allowed):
            raise argparse.ArgumentTypeError(f"{text!r} is not {range_text(*allowed)}")
        return value

    return convert


def run_as_program(main):
    """Call main and return the exit status; what went wrong is told in one line on stderr."""
    prepare_output()
    # what one library warns another of is no error of ours, even under PYTHONWARNINGS=error
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", module="matplotlib")
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()  # what can't be written is known here, not after the end
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `python main.py | head -1`: the reader has seen enough
        drop_output()
        return 141
    except OSError as error:  # the output goes to a full disk, say
        drop_output()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        text = str(interrupt) or "no file is left half written"
        print(f"interrupted: {text}", file=sys.stderr)
        return 130


def prepare_output():
    """Let `print` work where the output is closed (it goes nowhere), or takes ASCII alone."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # takes the lowest free number, the closed file's: no other file may come to have it
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nowhere, True)
            setattr(sys, name, open(nowhere, mode, closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")


def drop_output():
    """Forget what could not be written, or Python would try again at the end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
