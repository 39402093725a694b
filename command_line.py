"""The options of main.py, derived from the settings, and how the program ends."""

import argparse
import contextlib
import os
import sys
import warnings
from pathlib import Path

from files import PROJECT, UserError, printable, signals_to
from settings import RECOGNITION, SEEDS, TRAINING, check_settings, load_config, load_meanings

USAGE = "python main.py [--train-model | --resume FILE | --predict FILE ... | --draw] [options]"
DEFAULTS = {"seeds": 1, "address": "127.0.0.1", "plots_dir": PROJECT / "plots", "show_plots": True}


def parse_command_line(train_model, arguments=None):
    """Parse the command line; return the options, a namespace.

    train_model: default of --train-model. arguments: list of str, by default sys.argv[1:].

    The options are train_model and draw, True or False; resume, predict and model, None if not
    given; those in DEFAULTS; and, for a training or for recognising handwriting, `settings`, a
    namespace: those of config.py, for a training overridden on the command line. Raises UserError
    if one of these or train_model is wrong. A wrong option, or one without effect, ends the program
    with a usage line and exit status 2.
    """
    if not isinstance(train_model, bool):
        raise UserError(f"main.py: train_model = {train_model!r}: it must be True or False")
    config = load_config()
    parser = make_parser(train_model, config)
    options = parser.parse_args(arguments)
    given = {name: value for name, value in vars(options).items() if value is not None}
    recognises = bool(options.predict or options.draw)
    trains = given.get("train_model", train_model)
    options.train_model = trains and not (recognises or options.resume)
    for names, has_effect, rule in (
        ([*TRAINING, "seeds"], options.train_model, "only for a new training, with --train-model"),
        (["address"], options.draw, "only with --draw"),
        (["plots_dir"], not options.draw, "not with --draw"),
        (["show_plots"], not recognises, "not with --predict or --draw"),
    ):
        if not has_effect and (unused := [option_name(name) for name in names if name in given]):
            parser.error(f"{', '.join(unused)}: {rule}")
    vars(options).update({name: given.get(name, DEFAULTS[name]) for name in DEFAULTS})
    if options.train_model:
        options.settings = check_settings(config | given, TRAINING, "config.py")
    elif recognises:
        options.settings = check_settings(config, RECOGNITION, "config.py")
    return options


def make_parser(train_model, config):
    """The parser: the options of main.py, None if not given, and one for each training setting.

    train_model, config: the defaults that --help shows.
    """
    about = "Recognise handwritten digits: evaluate a network, train one, or read pictures."
    parser = argparse.ArgumentParser(usage=USAGE, description=about, allow_abbrev=False)
    option, mode = parser.add_argument, parser.add_mutually_exclusive_group().add_argument
    switch = argparse.BooleanOptionalAction
    mode("--train-model", action=switch, help=f"train a new network (default: {train_model})")
    text = "resume a training from its .partial.npz file"
    mode("--resume", type=model_path, metavar="FILE", help=text)
    mode("--predict", nargs="+", metavar="FILE", help="recognise the digits in pictures or folders")
    mode("--draw", action="store_true", help="serve a page to draw and to drop photographs on")
    option("--address", help="where --draw listens (default: 127.0.0.1; for phones, too: 0.0.0.0)")
    text = f"train N networks that differ only in their seed: {SEEDS.rule} (default: 1)"
    option("--seeds", type=SEEDS.parse, metavar="N", help=text)
    text = "network file (default: trained_model.npz; to read pictures, handwriting/model.npz)"
    option("--model", type=model_path, metavar="FILE", help=text)
    option("--plots-dir", type=Path, metavar="DIR", help="folder for pictures (default: plots)")
    option("--show-plots", action=switch, help="open the pictures at the end (default: True)")

    training = parser.add_argument_group("training settings, with their defaults in config.py")
    meanings = load_meanings()
    for name, setting in TRAINING.items():
        default = config.get(name)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        if setting.kind is bool:
            form, rule = {"action": switch}, ""
        else:
            form, rule = {"type": setting.parse, "metavar": "X"}, f"{setting.rule}; "
        text = f"{meanings.get(name, '')} ({rule}default: {shown})".replace("%", "%%")
        training.add_argument(option_name(name), help=text, **form)
    return parser


def model_path(text):
    """The path of a model file; the ending .npz may be left out."""
    path = Path(text)
    return path if path.suffix == ".npz" or not path.name else Path(f"{path}.npz")


def option_name(name):
    """The option for a setting: --batch-size for batch_size."""
    return "--" + name.replace("_", "-")


def run_as_program(main):
    """Call main and return the exit status; errors and interrupts end in one line on stderr.

    SIGTERM and SIGHUP interrupt the program as Ctrl-C does. A closed pipe ends it quietly.
    """

    def interrupt(number, frame):
        raise KeyboardInterrupt(number)

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not in notebooks
            stream.reconfigure(errors="backslashreplace")  # for file names in other encodings
    with signals_to(interrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of what a user can't change
        try:
            status = main()
            print(end="", flush=True)  # a failure at exit would print Python's own message
            return status
        except KeyboardInterrupt as interruption:
            line, status = "interrupted", 128 + interruption.args[0]
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
