"""The network: parameters, forward pass, loss, backpropagation, prediction.

With one image a row of X, Y the labels as one-hot rows and `batch` the number of rows, a network
with one hidden layer computes

    forward     H = relu(X @ W_1 + b_1)
                P = softmax(H @ W_2 + b_2)
    loss        mean(-log(P[label])) + l2 / 2 * sum(W**2)
    backward    dZ_2 = (P - Y) / batch                  dZ_1 = (dZ_2 @ W_2.T) * (H > 0)
                dW_2 = H.T @ dZ_2                       dW_1 = X.T @ dZ_1
                db_2 = sum of the rows of dZ_2          db_1 = sum of the rows of dZ_1

and more hidden layers repeat the lines of the first. d stands for "derivative of the loss by". The
penalty adds l2 * W to each dW; `gradient_descent` in train.py does that while it updates W.
"""

import math

import numpy as np

from utils import log_softmax, matmul_by_rows, relu, relu_derivative, softmax

INPUTS = 28 * 28  # the pixels of an image
CLASSES = 10  # the digits 0 to 9


class MultilayerPerceptron:
    """A fully connected network: ReLU in the hidden layers, softmax over the classes at the end.

    parameters: (number of parameters,), all weights, then all biases, in one vector, so that an
        update is one line of arithmetic.
    all_weights: (number of weights,), the part of `parameters` that the L2 penalty is on; a view.
    weights: the matrices W_1, W_2, ..., each (inputs, outputs), views into `parameters`.
    biases: the vectors b_1, b_2, ..., each (outputs,), views into `parameters`.
    gradient, weight_gradients, bias_gradients: the same three for what `backward` computes.
    velocity: (number of parameters,), what gradient descent with momentum carries on with.
    """

    def __init__(self, hidden_layers=(128,), dtype=np.float32):
        """Set up a network with that many neurons in each hidden layer; all parameters are 0.

        dtype: float32 to train, float64 to check gradients.
        """
        self.layer_sizes = (INPUTS, *hidden_layers, CLASSES)
        self._shapes = list(zip(self.layer_sizes[:-1], self.layer_sizes[1:]))
        number_of_weights = sum(inputs * outputs for inputs, outputs in self._shapes)
        number_of_parameters = number_of_weights + sum(self.layer_sizes[1:])
        self.parameters = np.zeros(number_of_parameters, dtype)
        self.gradient = np.zeros(number_of_parameters, dtype)
        self.all_weights = self.parameters[:number_of_weights]
        self.velocity = np.zeros(number_of_parameters, dtype)
        self.weights, self.biases = self._split(self.parameters)
        self.weight_gradients, self.bias_gradients = self._split(self.gradient)
        self._rows = 0  # how many images the buffers below have room for

    def _split(self, vector):
        """Views of a vector laid out as `parameters` is: the weight matrices and the biases."""
        views, start = [], 0
        for shape in self._shapes + [(outputs,) for _, outputs in self._shapes]:
            views.append(vector[start : start + math.prod(shape)].reshape(shape))
            start += math.prod(shape)
        return views[: len(self._shapes)], views[len(self._shapes) :]

    # pickle, which carries networks from one process to another, would turn the views into copies
    def __getstate__(self):
        return self.layer_sizes[1:-1], self.parameters

    def __setstate__(self, state):
        hidden_layers, parameters = state
        self.__init__(hidden_layers, parameters.dtype)
        self.parameters[...] = parameters

    def initialise(self, random_generator):
        """Draw the weights from a normal distribution of variance 2 / inputs; biases are 0.

        He, Zhang, Ren and Sun: Delving Deep into Rectifiers, 2015, equation 10.
        """
        for W in self.weights:
            W[...] = random_generator.standard_normal(W.shape) * math.sqrt(2 / len(W))
        for b in self.biases:
            b[...] = 0

    def _make_room(self, rows):
        """Allocate every layer's Z and every hidden layer's dH once, for all batches."""
        if rows > self._rows:
            self._rows = rows
            self._Z = [np.empty((rows, n), self.parameters.dtype) for n in self.layer_sizes[1:]]
            self._dH = [np.empty((rows, n), self.parameters.dtype) for n in self.layer_sizes[1:-1]]

    def forward(self, X):
        """Compute every layer: the list [X, H_1, ..., logits], valid until the next call.

        X: (n, inputs). The hidden layers H are (n, neurons), the logits (n, classes).
        """
        self._make_room(len(X))
        activations = [X]
        for W, b, Z in zip(self.weights, self.biases, self._Z):
            Z = np.matmul(activations[-1], W, out=Z[: len(X)])
            Z += b
            if len(activations) < len(self.weights):  # every layer but the last
                relu(Z, out=Z)
            activations.append(Z)
        return activations

    def backward(self, X, Y, scale=1.0):
        """Backpropagation: fill `gradient` with scale times the derivative of the cross-entropy.

        With the learning rate as `scale`, `gradient` is the gradient descent step itself: scaling
        the small dZ instead of the large dW saves a pass over all weights.

        X: (n, inputs) and Y: (n, classes), a batch and its one-hot labels. Returns log P,
        (n, classes).
        """
        activations = self.forward(X)
        log_P = log_softmax(activations[-1])
        dZ = np.exp(log_P)
        dZ -= Y
        dZ *= scale / len(X)
        for layer in reversed(range(len(self.weights))):
            inputs = activations[layer]
            matmul_by_rows(inputs.T, dZ, out=self.weight_gradients[layer])
            dZ.sum(axis=0, out=self.bias_gradients[layer])
            if layer > 0:
                dH = self._dH[layer - 1][: len(X)]
                dZ = np.matmul(dZ, self.weights[layer].T, out=dH)
                dZ *= relu_derivative(inputs)
        return log_P

    def penalty(self, l2):
        """The L2 part of the loss, l2 / 2 * sum(W**2) over all weights, as a float."""
        return l2 / 2 * float(self.all_weights @ self.all_weights)

    def evaluate(self, X, labels, l2=0.0):
        """Loss and accuracy (0 to 1), both floats, on images X (n, inputs) with labels (n,)."""
        cross_entropy, accuracy = score(log_softmax(self.forward(X)[-1]), labels)
        return cross_entropy + self.penalty(l2), accuracy

    def predict_proba(self, X):
        """Probability of each class, (n, classes), for images X (n, inputs)."""
        return softmax(self.forward(X)[-1])

    def predict(self, X):
        """The most probable class, (n,) integers, for images X (n, inputs)."""
        return self.forward(X)[-1].argmax(axis=1)


def score(log_P, labels):
    """Mean cross-entropy -log P[label], and the share of labels that have the highest probability.

    log_P: (n, classes) log-probabilities; labels: (n,) integers. Returns two floats.
    """
    cross_entropies = -log_P[np.arange(len(labels)), labels]
    correct = log_P.argmax(axis=1) == labels
    return float(cross_entropies.mean(dtype=np.float64)), float(correct.mean())
