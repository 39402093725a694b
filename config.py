"""The hyperparameters: edit them here, or override any of them for one run on the command line.

The comment beside each is what `python main.py --help` says about it.
"""

alpha = 0.01  # learning rate: the length of a gradient descent step
number_of_epochs = 100  # passes over the training images
batch_size = 32  # images a gradient descent step is computed from
hidden_layers = (128,)  # neurons in each hidden layer
l2 = 0.0  # strength of the L2 penalty on the weights
momentum = 0.95  # share of a step that the next step carries on with; 0: plain gradient descent
decay = True  # let the learning rate rise to alpha at first, and then fall to 0 along a cosine
deskew = True  # bring every digit upright and closer to one size before the network sees it
augment = True  # train on randomly distorted copies of the images, new ones every epoch
validation_size = 0  # training images held out to judge choices by, in place of the test images
seed = 0  # start of every random choice: initial weights, shuffling, sample digits

# For --predict, and not an option of training:
doubtful_below = 0.7  # probability under which a digit read from a picture is marked with a ?

# What each may be: its type, the lowest and the highest value (for a tuple: of each entry).
allowed = {
    "alpha": (float, 1e-8, 1e8),
    "number_of_epochs": (int, 1, 1_000_000),
    "batch_size": (int, 1, 60_000),
    "hidden_layers": (tuple, 1, 4096),
    "l2": (float, 0, 1),
    "momentum": (float, 0, 0.999),
    "decay": (bool, False, True),
    "deskew": (bool, False, True),
    "augment": (bool, False, True),
    "validation_size": (int, 0, 59_999),
    "seed": (int, 0, 2**32 - 1),
}
allowed_in_reading = {"doubtful_below": (float, 0, 1)}
