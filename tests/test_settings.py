import inspect

import pytest
from conftest import DEFAULTS

import config
from files import UserError
from settings import MOST_HIDDEN_LAYERS, RECOGNITION, TRAINING, check_settings, load_config

CONFIG = inspect.getsource(config)
NUMPY = "import numpy as np\nseed, decay, mine = np.uint8(0), np.True_, 3\nalpha: float = "
HARMLESS_EDITS = [("(128,)", "[128]"), ("(128,)", "(128)"), ("alpha = ", NUMPY)]
HARMLESS_EDITS += [("(128,)", "(__import__('numpy').int64(128),)")]
LAYERS = "it must be 1 to 16 whole numbers from 1 to 4096, such as 500,150"
WRONG_EDITS = [
    (CONFIG, "", ": alpha is missing: it must be a number from 1e-08 to "),
    ("(128,)", "'128'", f": hidden_layers = '128': {LAYERS}"),
    ("(128,)", "(128,) * 10**5", LAYERS),
    ("alpha = 0.15", "alpha = float('nan')", ": alpha = nan: it must be a number"),
    ("alpha = 0.15", "alpha = True", ": alpha = True: it must be a number"),
    ("batch_size = 32", "batch_size = 32.0", ": batch_size = 32.0: it must be a whole number"),
    ("deskew = True", "deskew = 1", ": deskew = 1: it must be True or False"),
    ("alpha = 0.15", "alpha = 0.15 0.2", ": SyntaxError: invalid syntax"),
    ("seed = 0", "seed = sead", ": NameError: name 'sead' is not defined"),
]


def load_edited(folder, old, new):
    """Load config.py with a text replaced, as a user may edit it."""
    assert old in CONFIG
    (folder / "config.py").write_text(CONFIG.replace(old, new), "utf-8")
    return check_settings(load_config(folder / "config.py"), TRAINING, "config.py")


@pytest.mark.parametrize(("old", "new"), HARMLESS_EDITS)
def test_a_harmless_edit_of_config_changes_nothing(tmp_path, old, new):
    assert load_edited(tmp_path, "alpha = 0.15", "alpha = 0.02").alpha == 0.02
    training = vars(load_edited(tmp_path, old, new))  # anew, in the same session
    assert training == DEFAULTS
    # plain values, which a model file can hold
    assert {type(value) for value in training.values()} == {bool, int, float, tuple}
    assert {type(size) for size in training["hidden_layers"]} == {int}


@pytest.mark.parametrize(("old", "new", "text"), WRONG_EDITS)
def test_a_wrong_edit_of_config_ends_in_one_line(tmp_path, old, new, text):
    with pytest.raises(UserError) as error:
        load_edited(tmp_path, old, new)
    message = str(error.value)
    assert message.startswith("config.py") and text in message
    assert message.isprintable() and len(message) < 300


@pytest.mark.parametrize(("name", "setting"), (TRAINING | RECOGNITION).items())
def test_the_ends_of_a_range_are_allowed_and_nothing_beyond(name, setting):
    def check(number):
        value = (number,) * MOST_HIDDEN_LAYERS if setting.kind is tuple else setting.kind(number)
        return vars(check_settings({name: value}, {name: setting}, "config.py")) == {name: value}

    assert check(setting.lowest) and check(setting.highest)
    for beyond in () if setting.kind is bool else (setting.lowest - 1, setting.highest + 1):
        with pytest.raises(UserError, match=rf"config\.py: {name} = .*: it must be "):
            check(beyond)
