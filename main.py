"""Read handwritten digits with a multi-layer perceptron, written by hand in NumPy.

    python main.py                  evaluate the trained network on the MNIST test digits
    python main.py --train-model    train a new one first
    python main.py --resume FILE    resume an interrupted training
    python main.py --predict FILE   read the digits in pictures of your own
    python main.py --draw           read digits you draw with the mouse

The first three print "Test accuracy: 99.49% (51 errors in 10,000)", or whatever the network
reaches, then precision and recall for each digit, and save six pictures in plots/.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out

from command_line import parse_command_line, report_error, run_as_program

sys.excepthook = report_error  # a missing package, for example, is reported in one line

import numpy as np

import evaluation
from data_preprocessing import load_mnist, preprocess
from files import PROJECT, UserError, check_writable
from save_load import complete_path, keep_previous, load_model, partial_path, save_model
from train import Interrupted, held_out_name, seed_study, train

train_model = False  # True: train a new network; False: load the trained one

DEFAULT_MODEL = PROJECT / "trained_model.npz"
HANDWRITING_MODEL = PROJECT / "handwriting" / "model.npz"  # trained with --beyond-mnist


def main(arguments=None):
    options, settings = parse_command_line(train_model, arguments)
    if options.predict or options.draw:
        return read_handwriting(options)

    # 1. Load MNIST
    training_images, training_labels, test_images, test_labels = load_mnist()

    # 2. Train a network, or load the trained one
    check_writable(options.plots_dir / "loss.png")  # before the work
    if options.train_model or options.resume:
        data = (training_images, training_labels), (test_images, test_labels)
        network, history, settings = train_and_save(*data, options, settings)
    else:
        network, history, settings, velocity = load_model(options.model or DEFAULT_MODEL)
        if velocity is not None:
            epochs = len(history["training_loss"])
            print(f"An interrupted training: {epochs} of {settings.number_of_epochs} epochs.")
    X_test = preprocess(test_images, settings.deskew, settings.edges)

    # 3. Plot the loss and accuracy history
    import plots  # here, since matplotlib is slow to import

    held_out = held_out_name(settings)
    figures = {
        "loss.png": plots.plot_history(history, "loss", held_out),
        "accuracy.png": plots.plot_history(history, "accuracy", held_out),
    }

    # 4. Evaluate the accuracy on the test images
    probabilities = network.predict_proba(X_test)
    confusions = evaluation.count_confusions(test_labels, probabilities.argmax(axis=1))
    print(evaluation.report(confusions))

    # 5. Confusion matrix
    figures["confusion_matrix.png"] = plots.plot_confusion_matrix(confusions)

    # 6. Sample predictions, the most confident mistakes, and the weights of the hidden neurons
    sample = np.random.default_rng(settings.seed).choice(len(test_images), 25, replace=False)
    figures["predictions.png"] = plots.plot_predictions(
        test_images, test_labels, probabilities, sample, "Random test digits"
    )
    mistakes = evaluation.most_confident_mistakes(test_labels, probabilities)
    figures["mistakes.png"] = plots.plot_predictions(
        test_images, test_labels, probabilities, mistakes, "The most confident mistakes"
    )
    figures["weights.png"] = plots.plot_weights(network.weights[0], settings.edges)

    plots.save_figures(figures, options.plots_dir)
    print(f"Saved {len(figures)} pictures in {options.plots_dir}.")
    if options.show_plots:
        plots.show_figures(figures)


def train_and_save(training, test, options, settings):
    """Train as the options say and save the network; return it, its history and its settings.

    The completed epochs of an interrupted training are saved beside the file it was for.
    """
    resume_from, path = None, options.model or DEFAULT_MODEL
    if options.resume:
        network, history, settings, velocity = load_model(options.resume)
        if velocity is None:
            raise UserError(f"{options.resume}: its training is complete")
        resume_from = network, history, velocity
        path = options.model or complete_path(options.resume)
    check_writable(path)  # before the work
    try:
        if options.seeds == 1:
            network, history = train(training, test, settings, resume_from)
        else:
            network, history = seed_study(training, test, settings, options.seeds)
    except Interrupted as interrupted:
        network, history, velocity = interrupted.args
        if velocity is None:  # the first network of a study is complete
            save_and_keep_previous(path, network, history, settings)
            raise KeyboardInterrupt("the study ends with the networks above") from None
        save_model(partial_path(path), network, history, settings, velocity)
        raise KeyboardInterrupt(f"continue with --resume {partial_path(path)}") from None
    save_and_keep_previous(path, network, history, settings)
    if options.resume and not options.resume.samefile(path):
        options.resume.unlink()
    return network, history, settings


def save_and_keep_previous(path, network, history, settings):
    """Save a network; an older one at the same place is kept as NAME.previous.npz."""
    if previous := keep_previous(path):
        print(f"Kept the previous network in {previous}.")
    save_model(path, network, history, settings)
    print(f"Saved the network in {path}.")


def read_handwriting(options):
    """Read pictures or drawings; return the exit status."""
    network, _, settings, _ = load_model(options.model or HANDWRITING_MODEL)
    if options.draw:
        from handwriting.draw import open_window

        return open_window(network, settings, options.left_out_below, options.plots_dir)

    def read(digits):
        """Probabilities (n, 10) of the digits in images (n, 28, 28) uint8."""
        return network.predict_proba(preprocess(digits, settings.deskew, settings.edges))

    from handwriting.predict import predict

    return predict(options.predict, read, options, options.plots_dir)


if __name__ == "__main__":
    sys.exit(run_as_program(main))
