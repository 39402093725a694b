"""Recognise handwritten digits with a multi-layer perceptron, written by hand in NumPy.

    python main.py                  evaluate the trained network on the MNIST test digits
    python main.py --train-model    train a new one first
    python main.py --resume FILE    resume an interrupted training
    python main.py --predict FILE   recognise the digits in pictures of your own
    python main.py --draw           recognise digits you draw with the mouse

The first three print "Test accuracy: 99.42% (58 errors in 10,000)", or whatever the network
reaches, then precision and recall for each digit, and save six pictures in plots/.
"""

import sys

import numpy as np

import evaluation
from command_line import parse_command_line, run_as_program
from data_preprocessing import load_mnist, preprocess
from files import PROJECT, UserError
from save_load import check_savable, complete_path, load_model, save_training
from seed_study import seed_study
from train import BEYOND_MNIST, held_out_name, random_generator, train

train_model = False  # True: train a new network; False: load the trained one

DEFAULT_MODEL = PROJECT / "trained_model.npz"
HANDWRITING_MODEL = PROJECT / "handwriting" / "model.npz"  # trained with --beyond-mnist


def main(arguments=None):
    options, settings = parse_command_line(train_model, arguments)
    if options.predict or options.draw:
        return recognise_handwriting(options)

    # 1. Load MNIST
    training_images, training_labels, test_images, test_labels = load_mnist()

    # 2. Train a network, or load the trained one
    if options.train_model or options.resume:
        training, test = (training_images, training_labels), (test_images, test_labels)
        network, history, settings = train_and_save(training, test, settings, options)
    else:
        network, history, settings, velocity = load_model(options.model or DEFAULT_MODEL)
        if velocity is not None:
            epochs = len(history["training_loss"])
            print(f"An interrupted training: {epochs} of {settings.number_of_epochs} epochs.")

    # 3. Plot the loss and accuracy history
    import plots  # here, since matplotlib is slow to import

    held_out = held_out_name(settings)
    figures = {
        "loss.png": plots.plot_history(history, "loss", held_out),
        "accuracy.png": plots.plot_history(history, "accuracy", held_out),
    }

    # 4. Evaluate the accuracy on the test images
    probabilities = network.predict_proba(preprocess(test_images, settings.deskew))
    confusions = evaluation.count_confusions(test_labels, probabilities.argmax(axis=1))
    print(evaluation.report(confusions))

    # 5. Confusion matrix
    figures["confusion_matrix.png"] = evaluation.plot_confusion_matrix(confusions)

    # 6. Sample predictions, the most confident mistakes, and the weights of the hidden neurons
    sample = np.random.default_rng(settings.seed).choice(len(test_images), 25, replace=False)
    figures["predictions.png"] = plots.plot_predictions(
        test_images, test_labels, probabilities, sample, "Random test digits"
    )
    mistakes = evaluation.most_confident_mistakes(test_labels, probabilities)
    figures["mistakes.png"] = plots.plot_predictions(
        test_images, test_labels, probabilities, mistakes, "The most confident mistakes"
    )
    figures["weights.png"] = plots.plot_weights(network.weights[0])

    plots.save_figures(figures, options.plots_dir)
    print(f"Saved {len(figures)} pictures in {options.plots_dir}.")
    if options.show_plots:
        plots.show_figures(figures)


def train_and_save(training, test, settings, options):
    """Train as the options say and save the network; return it, its history and its settings.

    training, test: images and labels, (n, 28, 28) uint8 and (n,), of MNIST.
    """
    path, resumed = options.model or DEFAULT_MODEL, None
    if options.resume:
        resumed, path = load_model(options.resume), options.model or complete_path(options.resume)
        *_, settings, velocity = resumed
        if velocity is None:
            raise UserError(f"{options.resume}: its training is complete")
    check_savable(path)  # before the work

    # Hold out validation images: the network is not trained on them but evaluated after each epoch.
    held_out = test
    if size := settings.validation_size:
        held_out = [array[-size:] for array in training]
        training = [array[:-size] for array in training]

    # Add digits in other styles, and non-digits.
    if settings.beyond_mnist:
        from handwriting.beyond_mnist import extra_images  # imports SciPy and Pillow

        extra = extra_images(*training, random_generator(settings, BEYOND_MNIST))
        training = [np.concatenate(arrays) for arrays in zip(training, extra)]

    if options.seeds == 1:
        epochs = train(training, held_out, settings, resumed)
    else:
        epochs = seed_study(training, held_out, settings, options.seeds)
    trained = None
    try:
        for epoch in epochs:
            trained = epoch
    finally:  # whatever ends the training, its last complete epoch is saved
        if trained:
            save_training(path, trained, options.resume)
    return trained[:3]


def recognise_handwriting(options):
    """Recognise digits in pictures or drawings; return the exit status."""
    network, _, settings, _ = load_model(options.model or HANDWRITING_MODEL)
    if options.draw:
        from handwriting.draw import open_window

        threshold = options.thresholds.left_out_below
        return open_window(network, settings.deskew, threshold, options.plots_dir)

    def recognise(images):
        """Probabilities (n, 10) of the digits in images (n, 28, 28) uint8."""
        return network.predict_proba(preprocess(images, settings.deskew))

    from handwriting.predict import predict

    return predict(options.predict, recognise, options.thresholds, options.plots_dir)


if __name__ == "__main__":
    sys.exit(run_as_program(main))
