import inspect
import re
from pathlib import Path

import pytest
from conftest import allowed_values
from hypothesis import given
from hypothesis import strategies as st

import config
from command_line import parse_command_line
from files import UserError
from settings import TRAINING

DEFAULTS = {name: getattr(config, name) for name in TRAINING}
OPTIONS = {name: "--" + name.replace("_", "-") for name in TRAINING}
OTHER_MODES = [["--resume", "m.partial.npz"], ["--predict", "photo.png"], ["--draw"]]


def as_options(settings):
    """The command-line arguments for some settings, a dictionary."""
    arguments = []
    for name, value in settings.items():
        if isinstance(value, bool):
            arguments.append(OPTIONS[name] if value else OPTIONS[name].replace("--", "--no-"))
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            arguments += [OPTIONS[name], text]
    return arguments


def refuse(capsys, *arguments):
    """The usage error that wrong arguments end in."""
    with pytest.raises(SystemExit, match=r"^2$"):
        parse_command_line(False, arguments)
    usage, _, error = capsys.readouterr().err.partition("error: ")
    assert usage.startswith("usage: ")
    return error


SOME_SETTINGS = {name: allowed_values(setting) for name, setting in TRAINING.items()}


@given(st.fixed_dictionaries({}, optional=SOME_SETTINGS))
def test_any_settings_can_be_given_as_options(changed):
    settings = vars(parse_command_line(True, as_options(changed)).settings)
    assert settings == DEFAULTS | changed
    assert [type(settings[name]) for name in DEFAULTS] == [*map(type, DEFAULTS.values())]


@pytest.mark.parametrize("start", [False, True])
def test_train_model_can_be_switched_on_and_off(start):
    for arguments, end in ([], start), (["--train-model"], True), (["--no-train-model"], False):
        assert parse_command_line(start, arguments).train_model is end
    for mode in OTHER_MODES:
        assert parse_command_line(start, mode).train_model is False
    with pytest.raises(UserError, match="train_model = 'no': it must be True or False"):
        parse_command_line("no", [])


@pytest.mark.parametrize(("wrong", "right"), [("alpha", 0), ("doubtful_below", 1)])
def test_a_mistake_in_config_stops_only_what_needs_the_setting(monkeypatch, wrong, right):
    monkeypatch.setattr("command_line.load_config", lambda: vars(config) | {wrong: "fast"})
    modes = ["--train-model"], ["--predict", "photo.png"]
    assert parse_command_line(False, modes[1 - right])
    assert parse_command_line(False, [])
    with pytest.raises(UserError, match=f"config.py: {wrong} = 'fast': it must be a number"):
        parse_command_line(False, modes[right])
    assert parse_command_line(True, ["--alpha", "0.3"]).settings.alpha == 0.3


@pytest.mark.parametrize(
    ("option", "texts", "rule"),
    [
        ("--alpha", ["fast", ""], "a number from 1e-08 to"),
        ("--batch-size", ["1.5", "1e3"], "a whole number from 1 to 60000"),
        ("--hidden-layers", ["abc", "128,", "128 64"], "1 to 16 whole numbers from 1 to 4096, such"),
        ("--seeds", ["0", "two", "1001"], "a whole number from 1 to 1000"),
    ],
)
def test_a_wrong_value_is_refused_with_the_range(capsys, option, texts, rule):
    for text in texts:
        error = refuse(capsys, "--train-model", f"{option}={text}")
        assert error.startswith(f"argument {option}: {text!r} is not {rule}")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["photo.png"], "unrecognized arguments: photo.png"),
        (["--train", "1"], "unrecognized arguments: --train 1"),  # options can't be abbreviated
        (["--predict"], "--predict: expected at least one argument"),
        (["--predict", "photo.png", "--draw"], "--draw: not allowed with argument --predict"),
        (["--address", "0.0.0.0"], "--address: only with --draw"),
        (["--draw", "--plots-dir", "x"], "--plots-dir: not with --draw"),
        (["--draw", "--no-show-plots"], "--show-plots: not with --predict or --draw"),
    ],
)
def test_the_usage_error_says_what_to_write(capsys, arguments, advice):
    assert advice in refuse(capsys, *arguments)


@pytest.mark.parametrize("mode", [[], *OTHER_MODES])
def test_training_options_are_refused_without_training(capsys, mode):
    reason = "only for a new training, with --train-model"
    for arguments in (["--seeds", "2"], *(as_options({name: DEFAULTS[name]}) for name in TRAINING)):
        option = arguments[0].replace("--no-", "--")
        assert refuse(capsys, *mode, *arguments) == f"{option}: {reason}\n"


@pytest.mark.parametrize("mode", [["--train-model"], ["--resume", "m.partial.npz"]])
@pytest.mark.parametrize("model", ["lr0.1", "model.NPZ", "m.partial.npz", "folder"])
def test_a_trained_model_must_be_named_npz(capsys, mode, model):
    error = refuse(capsys, *mode, "--model", model)
    assert error.startswith(f"--model {model}: its name must end in .npz")
    assert parse_command_line(False, ["--model", model]).model == Path(model)  # to load it
    options = parse_command_line(False, [*mode, "--model", "lr0.1.npz"])
    assert options.model == Path("lr0.1.npz")


def test_help_shows_every_setting_with_meaning_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit, match=r"^0$"):
        parse_command_line(False, ["--help"])
    help = re.sub(r"\n {4,}", " ", capsys.readouterr().out)
    lines = inspect.getsource(config).splitlines()
    for name, value in DEFAULTS.items():
        (meaning,) = (re.escape(line.split("# ")[1]) for line in lines if line.startswith(name))
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        assert re.search(rf"^  {OPTIONS[name]}[, ].*{meaning} .*default: {shown}\)$", help, re.M)
