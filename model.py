"""The network: parameters, forward pass, loss, backpropagation; the model that knows its input.

X holds one image per row and Y its target, 1 for the true digit and 0 elsewhere (for an image
without a digit, a tenth everywhere); `batch` is the number of rows. With one hidden layer the
network computes

    forward     H = relu(X @ W_1 + b_1)
                P = softmax(H @ W_2 + b_2)
    loss        -sum(Y * log(P)) / batch + l2 / 2 * (sum(W_1**2) + sum(W_2**2))
    backward    dZ_2 = (P - Y) / batch
                dW_2 = H.T @ dZ_2 + l2 * W_2
                db_2 = dZ_2.sum(0)
                dZ_1 = (dZ_2 @ W_2.T) * (H > 0)
                dW_1 = X.T @ dZ_1 + l2 * W_1
                db_1 = dZ_1.sum(0)

where Z_1 and Z_2 are the arguments of relu and softmax, and dW is the derivative of the loss with
respect to W. Every further hidden layer repeats the lines of the first.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from data_preprocessing import INPUTS, preprocess
from utils import log_softmax, relu, softmax

CLASSES = 10  # the digits 0 to 9
NO_DIGIT = CLASSES  # the label of an image that shows no digit
# The target of each label, a row of Y: 1 for its digit, or a tenth for every digit.
TARGETS = np.vstack([np.eye(CLASSES), np.full(CLASSES, 1 / CLASSES)])
EVALUATION_BATCH = 1000  # images per forward pass outside of training; limits the memory
# what is measured in each epoch of a training, in this order
HISTORY = ("training_loss", "training_accuracy", "held_out_loss", "held_out_accuracy")


class MultilayerPerceptron:
    """A fully connected network: ReLU in the hidden layers, softmax at the end.

    parameters: (number of parameters,) all weights, then all biases, in one vector, which
        gradient descent updates as a whole.
    all_weights: (number of weights,) the weights in `parameters`; a view.
    weights: the matrices W_1, W_2, ..., each (inputs, outputs); views into `parameters`.
    biases: the vectors b_1, b_2, ..., each (outputs,); views into `parameters`.
    gradient, weight_gradients, bias_gradients: the same for the gradient that `backward` computes.
    layer_sizes: the numbers of inputs, of neurons in each hidden layer, and of outputs.
    """

    def __init__(self, hidden_layers, dtype=np.float32):
        """Create a network with hidden layers of these sizes; all parameters are 0.

        dtype: float32 for training, float64 for checking gradients.
        """
        self.layer_sizes = (INPUTS, *hidden_layers, CLASSES)
        shapes = list(zip(self.layer_sizes[:-1], self.layer_sizes[1:]))
        number_of_weights = sum(inputs * outputs for inputs, outputs in shapes)
        number_of_parameters = number_of_weights + sum(self.layer_sizes[1:])
        self.parameters = aligned_zeros(number_of_parameters, dtype)
        self.gradient = aligned_zeros(number_of_parameters, dtype)
        self.all_weights = self.parameters[:number_of_weights]
        self.weights, self.biases = split(self.parameters, shapes)
        self.weight_gradients, self.bias_gradients = split(self.gradient, shapes)

    # By default, a copy would share the arrays, and pickling would make each view a separate array.
    def __reduce__(self):
        arguments = self.layer_sizes[1:-1], self.parameters.dtype
        return MultilayerPerceptron, arguments, self.parameters

    def __setstate__(self, parameters):
        self.parameters[...] = parameters

    def initialise(self, random_generator):
        """Draw the weights from a normal distribution with variance 2 / inputs; biases are 0.

        He, Zhang, Ren and Sun: Delving Deep into Rectifiers, 2015, equation 10.
        """
        for W in self.weights:
            W[...] = random_generator.standard_normal(W.shape) * math.sqrt(2 / len(W))
        for b in self.biases:
            b[...] = 0

    def forward(self, X):
        """Forward pass: the list [X, H_1, ..., logits].

        X: (n, 784). Each H is (n, neurons), the logits are (n, 10).
        """
        layers = [X]
        for W, b in zip(self.weights[:-1], self.biases[:-1]):
            layers.append(relu(layers[-1] @ W + b))
        layers.append(layers[-1] @ self.weights[-1] + self.biases[-1])
        return layers

    def backward(self, X, Y, l2):
        """Backpropagation: fill `gradient` with the gradient of the loss.

        X: (n, 784); Y: (n, 10) targets. l2: strength of the L2 penalty. Returns the
        log-probabilities (n, 10) of the forward pass.
        """
        *inputs, logits = self.forward(X)
        log_P = log_softmax(logits)
        dZ = (np.exp(log_P) - Y) / len(X)
        for layer in reversed(range(len(self.weights))):
            W, dW = self.weights[layer], self.weight_gradients[layer]
            np.matmul(inputs[layer].T, dZ, out=dW)
            dW += l2 * W
            dZ.sum(axis=0, out=self.bias_gradients[layer])
            if layer > 0:
                dZ = (dZ @ W.T) * (inputs[layer] > 0)
        return log_P

    def penalty(self, l2):
        """The L2 part of the loss, l2 / 2 * sum(W**2) over all weights; a float."""
        return l2 / 2 * float(self.all_weights @ self.all_weights)

    def evaluate(self, X, labels, l2):
        """Loss and accuracy (0 to 1), two floats, on images X (n, 784) with labels (n,)."""
        cross_entropy, accuracy = score(log_softmax(self.logits(X)), labels)
        return cross_entropy + self.penalty(l2), accuracy

    def logits(self, X):
        """The last layer's output, (n, 10), for images X (n, 784), computed batch by batch."""
        logits = np.empty((len(X), CLASSES), self.parameters.dtype)
        for start in range(0, len(X), EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            logits[batch] = self.forward(X[batch])[-1]
        return logits


@dataclass
class Model:
    """A network with all that it takes to use it or to train it further.

    network: a MultilayerPerceptron. history: a dictionary of float64 arrays, a number for each
    epoch: training_loss and training_accuracy, means over the images of an epoch, each evaluated
    before the update from its batch, and held_out_loss and held_out_accuracy, measured after the
    epoch. Losses include the L2 penalty at the end of the epoch; accuracies are from 0 to 1, over
    the images of digits. settings: a namespace of the training settings.
    """

    network: MultilayerPerceptron
    history: dict
    settings: SimpleNamespace

    @property
    def epochs(self):
        """The number of completed epochs."""
        return len(self.history["training_loss"])

    @property
    def is_complete(self):
        """Whether its training is complete."""
        return self.epochs == self.settings.number_of_epochs

    def inputs(self, images):
        """The network's inputs, (n, 784) float32, for images (n, 28, 28) uint8."""
        return preprocess(images, self.settings.deskew)

    def predict_proba(self, images):
        """Probability of each digit, (n, 10), for images (n, 28, 28) uint8, ink 255 on paper 0."""
        return softmax(self.network.logits(self.inputs(images)))

    def predict(self, images):
        """The most probable digit, (n,) integers, for images (n, 28, 28) uint8."""
        return self.predict_proba(images).argmax(axis=1)


def aligned_zeros(n, dtype):
    """Zeros (n,) that start on a cache line, at a multiple of 64 bytes: products are faster."""
    zeros = np.zeros(n + 64, dtype)
    start = -zeros.ctypes.data % 64 // zeros.itemsize
    return zeros[start : start + n]


def split(vector, shapes):
    """Split a vector into weight matrices of these shapes and their bias vectors, as views."""
    views, start = [], 0
    for shape in shapes + [(outputs,) for _, outputs in shapes]:
        views.append(vector[start : start + math.prod(shape)].reshape(shape))
        start += math.prod(shape)
    return views[: len(shapes)], views[len(shapes) :]


def score(log_P, labels):
    """Mean cross-entropy -sum(Y * log P) and accuracy (0 to 1), two floats.

    log_P: (n, 10) log-probabilities; labels: (n,) integers. The accuracy leaves out NO_DIGIT.
    """
    cross_entropies = -(TARGETS[labels] * log_P).sum(axis=1)
    correct = (log_P.argmax(axis=1) == labels)[labels != NO_DIGIT]
    return float(cross_entropies.mean()), float(correct.mean())
