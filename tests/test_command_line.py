import inspect
import re

import pytest
from conftest import DEFAULTS, allowed_values
from hypothesis import given
from hypothesis import strategies as st

import config
from command_line import option_name, parse_command_line
from files import UserError
from settings import TRAINING

OTHER_MODES = [["--resume", "m.partial.npz"], ["--predict", "photo.png"], ["--draw"]]
WRONG = {
    "--alpha=fast": "argument --alpha: 'fast' is not a number from 1e-08 to 100000000\n",
    "--batch-size=1.5": "--batch-size: '1.5' is not a whole number from 1 to 60000",
    "--hidden-layers=128;": "'128;' is not 1 to 16 whole numbers from 1 to 4096, such as 500,150",
    "--seeds=0": "argument --seeds: '0' is not a whole number from 1 to 1000",
    "--train 1": "unrecognized arguments: --train 1",  # options can't be abbreviated
    "--predict": "--predict: expected at least one argument",
    "--predict photo.png --draw": "--draw: not allowed with argument --predict",
    "--address 0.0.0.0": "--address: only with --draw",
    "--draw --plots-dir x": "--plots-dir: not with --draw",
    "--draw --no-show-plots": "--show-plots: not with --predict or --draw",
}


def as_option(name, value):
    """The command-line arguments for a setting, and its value as they show it."""
    if isinstance(value, bool):
        return [option_name(name if value else f"no_{name}")], str(value)
    shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return [option_name(name), shown], shown


def refuse(capsys, *arguments):
    """The usage error that wrong arguments end in."""
    with pytest.raises(SystemExit, match=r"^2$"):
        parse_command_line(False, arguments)
    usage, _, error = capsys.readouterr().err.partition("error: ")
    assert usage.startswith("usage: ")
    return error


@given(st.fixed_dictionaries({}, optional={n: allowed_values(s) for n, s in TRAINING.items()}))
def test_any_settings_can_be_given_as_options(changed):
    arguments = [text for item in changed.items() for text in as_option(*item)[0]]
    settings = vars(parse_command_line(True, arguments).settings)
    assert settings == DEFAULTS | changed
    assert [type(settings[name]) for name in DEFAULTS] == [*map(type, DEFAULTS.values())]


@pytest.mark.parametrize("start", [False, True])
def test_train_model_can_be_switched_on_and_off(start):
    for arguments, end in ([], start), (["--train-model"], True), (["--no-train-model"], False):
        assert parse_command_line(start, arguments).train_model is end
    assert not any(parse_command_line(start, mode).train_model for mode in OTHER_MODES)
    assert parse_command_line(start, ["--model", "m"]).model.name == "m.npz"
    with pytest.raises(UserError, match="train_model = 'no': it must be True or False"):
        parse_command_line("no", [])


@pytest.mark.parametrize(("name", "mode"), [("alpha", 0), ("doubtful_below", 1)])
def test_a_mistake_in_config_stops_only_what_needs_the_setting(monkeypatch, name, mode):
    monkeypatch.setattr("command_line.load_config", lambda: vars(config) | {name: "fast"})
    modes = ["--train-model"], ["--predict", "photo.png"]
    assert parse_command_line(False, modes[1 - mode])
    assert parse_command_line(False, [])
    with pytest.raises(UserError, match=f"config.py: {name} = 'fast': it must be a number"):
        parse_command_line(False, modes[mode])
    assert parse_command_line(True, ["--alpha", "0.3"]).settings.alpha == 0.3


@pytest.mark.parametrize("arguments", WRONG)
def test_the_usage_error_says_what_to_write(capsys, arguments):
    assert WRONG[arguments] in refuse(capsys, *arguments.split())


@pytest.mark.parametrize("mode", [[], *OTHER_MODES])
def test_training_options_are_refused_without_training(capsys, mode):
    for name in (*TRAINING, "seeds"):
        arguments, _ = as_option(name, DEFAULTS.get(name, 2))
        rule = f"{option_name(name)}: only for a new training, with --train-model\n"
        assert refuse(capsys, *mode, *arguments) == rule


def test_help_shows_every_setting_with_meaning_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit, match=r"^0$"):
        parse_command_line(False, ["--help"])
    help = re.sub(r"\n {4,}", " ", capsys.readouterr().out)
    meanings = dict(re.findall(r"^(\w+) = .*# (.+)$", inspect.getsource(config), re.MULTILINE))
    for name, value in DEFAULTS.items():
        _, default = as_option(name, value)
        pattern = rf"^  {option_name(name)}[, ].*{re.escape(meanings[name])} .*: {default}\)$"
        assert re.search(pattern, help, re.MULTILINE)
