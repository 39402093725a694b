import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import config
from command_line import PROJECT, parse_command_line, partial_path, whole_path
from utils import UserError

SETTINGS = list(config.allowed)
SWITCHES = [name for name in SETTINGS if config.allowed[name][0] is bool]


def test_without_options_everything_is_as_config_says():
    options, settings = parse_command_line(False, [])
    assert vars(settings) == {name: getattr(config, name) for name in SETTINGS}
    assert vars(options) == {
        "train_model": False,
        "resume": None,
        "predict": None,
        "draw": False,
        "seeds": 1,
        "model": PROJECT / "trained_model.npz",
        "plots_dir": PROJECT / "plots",
        "show_plots": True,
        "doubtful_below": config.doubtful_below,
    }


def test_the_documented_defaults():
    assert (config.alpha, config.number_of_epochs, config.batch_size) == (0.01, 100, 32)
    assert config.hidden_layers == (128,)


def test_every_assignment_in_config_is_a_setting_with_a_comment():
    text = inspect.getsource(config)
    assigned = re.findall(r"^(\w+) = .*  # \S.*$", text, re.MULTILINE)
    assert assigned == [*SETTINGS, *config.allowed_in_reading]


def test_every_setting_can_be_overridden():
    texts = {
        "alpha": ("0.5", 0.5),
        "number_of_epochs": ("7", 7),
        "batch_size": ("8", 8),
        "hidden_layers": ("500,150", (500, 150)),
        "l2": ("1e-4", 1e-4),
        "momentum": ("0.5", 0.5),
        "validation_size": ("100", 100),
        "seed": ("3", 3),
    }
    assert {*texts, *SWITCHES} == set(SETTINGS)
    for name, (text, value) in texts.items():
        option = "--" + name.replace("_", "-")
        settings = parse_command_line(True, [option, text])[1]
        assert getattr(settings, name) == value and type(getattr(settings, name)) is type(value)
        others = vars(settings) | {name: getattr(config, name)}
        assert others == {name: getattr(config, name) for name in SETTINGS}


@pytest.mark.parametrize("name", SWITCHES)
def test_switches(name):
    assert getattr(parse_command_line(True, [f"--{name}"])[1], name) is True
    assert getattr(parse_command_line(True, [f"--no-{name}"])[1], name) is False


def test_train_model_can_be_switched_on_and_off():
    assert parse_command_line(False, ["--train-model"])[0].train_model is True
    assert parse_command_line(True, ["--no-train-model"])[0].train_model is False
    assert parse_command_line(True, [])[0].train_model is True


@pytest.mark.parametrize(
    ("resumed", "model"),
    [("m.partial.npz", "m.npz"), ("a/b.partial.npz", "a/b.npz"), ("c.npz", "c.npz")],
)
def test_a_resumed_training_is_saved_where_it_would_have_been(resumed, model):
    options, _ = parse_command_line(True, ["--resume", resumed])
    assert options.model == Path(model) and options.train_model is False
    assert parse_command_line(False, ["--resume", resumed, "--model", "d"])[0].model == Path("d")
    assert whole_path(partial_path(Path("a.b/c.npz"))) == Path("a.b/c.npz")


@pytest.mark.parametrize("arguments", [["--alpha", "0.1"], ["--seeds", "2"]])
def test_a_resumed_training_keeps_its_settings(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        parse_command_line(False, ["--resume", "m.partial.npz", *arguments])
    assert exit.value.code == 2
    error = f"{arguments[0]}: an interrupted training goes on with its own settings"
    assert error in capsys.readouterr().err


REFUSED = {
    "--alpha": (["0", "-1", "nan", "inf", "-inf", "fast", "", "1e9"], "from 1e-08 to 1e+08"),
    "--batch-size": (["0", "-1", "60001", "1.5", "many"], "whole number from 1 to 60000"),
    "--number-of-epochs": (["0", "-5", "1e3"], "whole number from 1 to"),
    "--hidden-layers": (
        ["0", "abc", "4097", "128,", "", "128,0", ",".join("1" * 33)],
        "up to 16 whole numbers from 1 to 4096",
    ),
    "--l2": (["-1e-9", "nan", "2"], "a number from 0 to 1"),
    "--momentum": (["1", "-0.1", "nan", "heavy"], "a number from 0 to 0.999"),
    "--seeds": (["0", "-1", "two", "1001"], "a whole number from 1 to 1000"),
    "--validation-size": (["60000", "-1"], "from 0 to 59999"),
    "--seed": (["-1", "4294967296", "x"], "from 0 to 4294967295"),
}


@pytest.mark.parametrize(
    ("option", "text"), [(option, text) for option in REFUSED for text in REFUSED[option][0]]
)
def test_a_wrong_value_is_refused_with_the_range(capsys, option, text):
    with pytest.raises(SystemExit) as exit:
        parse_command_line(True, [f"{option}={text}"])
    assert exit.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: ")
    assert f"error: argument {option}: {text!r} is not " in err and REFUSED[option][1] in err


def test_every_setting_has_refusals():
    names = {option[2:].replace("-", "_") for option in REFUSED}
    assert names == {*SETTINGS, "seeds"} - set(SWITCHES)


@pytest.mark.parametrize("arguments", [["--alhpa", "1"], ["--alph", "1"], ["digits.png"]])
def test_unknown_options_are_refused(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        parse_command_line(True, arguments)
    assert exit.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*SETTINGS, "seeds"])
def test_training_options_without_training_are_refused(capsys, name):
    option = "--" + name.replace("_", "-")
    value = [] if name in SWITCHES else ["0.5" if name == "momentum" else "2"]
    if name == "l2":
        value = ["1"]
    with pytest.raises(SystemExit) as exit:
        parse_command_line(False, [option, *value])
    assert exit.value.code == 2
    assert f"{option}: only for training, so add --train-model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "range_in_words"),
    [
        ("alpha", 0, "a number from 1e-08 to 1e+08"),
        ("alpha", float("nan"), "a number from"),
        ("alpha", "0.01", "a number from"),
        ("alpha", True, "a number from"),
        ("batch_size", 32.0, "a whole number from 1 to 60000"),
        ("batch_size", 0, "a whole number"),
        ("hidden_layers", 128, "whole numbers from 1 to 4096"),  # (128) is no tuple, (128,) is
        ("hidden_layers", (), "whole numbers from 1 to 4096"),
        ("hidden_layers", (128, 0), "whole numbers from 1 to 4096"),
        ("hidden_layers", (1,) * 33, "up to 16 whole numbers from 1 to 4096"),
        ("validation_size", 60_000, "a whole number from 0 to 59999"),
        ("seed", None, "a whole number"),
        ("deskew", 1, "True or False"),
        ("augment", "yes", "True or False"),
    ],
)
def test_a_wrong_value_in_config_is_an_error(monkeypatch, name, value, range_in_words):
    monkeypatch.setattr(config, name, value)
    with pytest.raises(UserError) as error:
        parse_command_line(False, [])
    assert str(error.value).startswith(f"config.py: {name} = {value!r}: it must be ")
    assert range_in_words in str(error.value)


def test_a_missing_setting_is_an_error(monkeypatch):
    monkeypatch.delattr(config, "alpha")
    with pytest.raises(UserError, match=r"config\.py: alpha is missing"):
        parse_command_line(False, [])


def test_whole_numbers_are_numbers(monkeypatch):
    monkeypatch.setattr(config, "alpha", 1)
    assert parse_command_line(False, [])[1].alpha == 1


def test_train_model_must_be_a_truth_value():
    with pytest.raises(UserError, match="train_model = 'no': it must be True or False"):
        parse_command_line("no", [])


def test_help_shows_every_option_with_meaning_and_default(tmp_path):
    help = subprocess.run(
        [sys.executable, PROJECT / "main.py", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"COLUMNS": "500"},
        check=True,
    ).stdout
    described = dict(re.findall(r"^  --([\w-]+)(.*(?:\n {4}.*)*)", help, re.MULTILINE))
    for name in SETTINGS:
        value = getattr(config, name)
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        comment = re.search(rf"^{name} = .*  # (.*)$", inspect.getsource(config), re.MULTILINE)
        text = described[name.replace("_", "-")]
        assert comment[1] in text and f"(default: {shown})" in text
    assert {"train-model", "seeds", "model", "plots-dir", "show-plots"} < described.keys()
