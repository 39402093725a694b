"""The options of main.py, derived from the settings, and how the program ends."""

import argparse
import contextlib
import os
import signal
import sys
import warnings
from pathlib import Path

from files import PROJECT, UserError, printable, signals_to
from settings import RECOGNITION, SEEDS, TRAINING, check_settings, load_config

USAGE = "python main.py [--train-model | --resume FILE | --predict FILE ... | --draw] [options]"


def parse_command_line(train_model, arguments=None):
    """Parse the command line; return the options, a namespace.

    train_model: default of --train-model. arguments: list of str, by default sys.argv[1:].

    The options are train_model, resume, predict, draw, seeds, model (None if not given), plots_dir
    and show_plots; `settings`, a namespace, holds the settings of config.py for training, if
    train_model is True, overridden on the command line, or those for recognising handwriting.
    Raises UserError if config.py, as far as it is needed, or train_model is wrong. A wrong option
    ends the program with a usage line and exit status 2.
    """
    if not isinstance(train_model, bool):
        raise UserError(f"main.py: train_model = {train_model!r}: it must be True or False")
    config = load_config()
    parser = make_parser(train_model, config)
    options = parser.parse_args(arguments)
    overrides = {name: value for name in TRAINING if (value := vars(options).pop(name)) is not None}
    if options.predict or options.draw or options.resume:
        options.train_model = False
    training_only = [*overrides, *(["seeds"] if options.seeds > 1 else [])]
    if training_only and not options.train_model:
        names = ", ".join(map(option_name, training_only))
        if options.resume:
            parser.error(f"{names}: an interrupted training resumes with its own settings")
        parser.error(f"{names}: only for training, with --train-model")
    if options.model and (options.train_model or options.resume):
        name = options.model.name
        if not name.endswith(".npz") or name.endswith(".partial.npz"):
            parser.error(f"--model {options.model}: its name must end in .npz, not .partial.npz")
    if options.train_model:
        options.settings = check_settings(config | overrides, TRAINING, "config.py")
    elif options.predict or options.draw:
        options.settings = check_settings(config, RECOGNITION, "config.py")
    return options


def make_parser(train_model, config):
    """The parser: the options of main.py, and one for each training setting."""
    text = "Recognise handwritten digits: evaluate a network, train one, or show it yours."
    parser = argparse.ArgumentParser(usage=USAGE, description=text, allow_abbrev=False)
    switch = argparse.BooleanOptionalAction
    modes = parser.add_mutually_exclusive_group()
    text = f"train a network instead of loading the trained one (default: {train_model})"
    modes.add_argument("--train-model", action=switch, help=text)
    text = "resume an interrupted training from its .partial.npz file"
    modes.add_argument("--resume", type=Path, metavar="FILE", help=text)
    text = "recognise the digits in pictures, or in folders of pictures"
    modes.add_argument("--predict", nargs="+", metavar="FILE", help=text)
    text = "serve a page to draw digits on and to drop photographs in"
    modes.add_argument("--draw", action="store_true", help=text)
    text = "address that --draw listens at (default: 127.0.0.1, for this machine; 0.0.0.0: for "
    text += "phones in the network, too)"
    parser.add_argument("--address", default="127.0.0.1", help=text)
    text = f"train N networks that differ only in their seed: {SEEDS.rule} (default: 1)"
    parser.add_argument("--seeds", type=option_type(SEEDS), default=1, metavar="N", help=text)
    text = "file of the network (default: trained_model.npz; handwriting/model.npz to recognise "
    text += "handwriting; with --resume m.partial.npz, m.npz)"
    parser.add_argument("--model", type=Path, metavar="FILE", help=text)
    plots = PROJECT / "plots"
    text = "folder for the pictures (default: plots)"
    parser.add_argument("--plots-dir", type=Path, default=plots, metavar="DIR", help=text)
    text = "open the pictures in windows at the end, if there is a display (default: True)"
    parser.add_argument("--show-plots", action=switch, help=text)
    parser.set_defaults(train_model=train_model, show_plots=True)
    training = parser.add_argument_group("training settings, with their defaults in config.py")
    for name, setting in TRAINING.items():
        default = config.get(name)
        if setting.kind is bool:
            form = {"action": switch}
            text = f"{setting.meaning} (default: {default})"
        else:
            form = {"type": option_type(setting), "metavar": "X"}
            shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
            text = f"{setting.meaning}: {setting.rule} (default: {shown})"
        training.add_argument(option_name(name), default=None, help=text, **form)
    return parser


def option_name(name):
    """The option for a setting: --batch-size for batch_size."""
    return "--" + name.replace("_", "-")


def option_type(setting):
    """A function that converts an option's text to the value of a setting, for argparse."""

    def convert(text):
        try:
            return setting.parse(text)
        except ValueError:
            commas = ", separated by commas" if setting.kind is tuple else ""
            raise argparse.ArgumentTypeError(f"{text!r} is not {setting.rule}{commas}") from None

    return convert


def run_as_program(main):
    """Call main and return the exit status; errors and interrupts end in one line on stderr.

    SIGTERM and SIGHUP interrupt the program as Ctrl-C does. A closed pipe ends it quietly.
    """
    received = signal.SIGINT

    def interrupt(number, frame):
        nonlocal received
        received = number
        raise KeyboardInterrupt

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not in notebooks
            stream.reconfigure(errors="backslashreplace")  # for file names in other encodings
    with signals_to(interrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of what a user can't change
        try:
            status = main()
            print(end="", flush=True)  # a failure at exit would print Python's own message
            return status
        except KeyboardInterrupt:
            line, status = "interrupted", 128 + received
        except BrokenPipeError:  # python main.py | head -1
            line, status = "", 128 + 13  # as if killed by SIGPIPE, which Windows lacks
        except MemoryError as error:
            line, status = f"error: not enough memory: {error}", 1
        except (UserError, OSError) as error:
            line, status = f"error: {printable(error)}", 1
    with contextlib.suppress(OSError):
        print(line, end="\n" if line else "", file=sys.stderr, flush=True)
    try:
        print(end="", flush=True)
    except OSError:  # drop output that a closed pipe or a full disk refuses
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status
