"""Recognise handwritten digits with a multi-layer perceptron, written by hand in NumPy.

    python main.py                  evaluate the trained network on the MNIST test digits
    python main.py --train-model    train a new one first
    python main.py --resume FILE    resume an interrupted training
    python main.py --predict FILE   recognise the digits in pictures of your own
    python main.py --draw           recognise digits that you draw, on a page in the browser

The first three print "Test accuracy: 99.41% (59 errors in 10,000)", or whatever the network
reaches, then precision and recall for each digit, and save six pictures in plots/.
"""

import sys
from pathlib import Path

import numpy as np

import evaluation
from command_line import parse_command_line, run_as_program
from data_preprocessing import load_mnist
from files import PROJECT, UserError, printable
from save_load import PARTIAL, check_savable, load_model, save_while_training
from seed_study import seed_study
from train import BEYOND_MNIST, held_out_name, random_generator, train, untrained

train_model = False  # True: train a new network; False: load the trained one

DEFAULT_MODEL = PROJECT / "trained_model.npz"
HANDWRITING_MODEL = PROJECT / "handwriting" / "model.npz"  # trained with --beyond-mnist


def main(arguments=None):
    options = parse_command_line(train_model, arguments)
    if options.predict or options.draw:
        return recognise_handwriting(options)

    # 1. Load MNIST
    training_images, training_labels, test_images, test_labels = load_mnist()

    # 2. Train a network, or load the trained one
    if options.train_model or options.resume:
        training, test = (training_images, training_labels), (test_images, test_labels)
        model = train_and_save(training, test, options)
    else:
        model = load_model(options.model or DEFAULT_MODEL)
        if not model.is_complete:
            of_all = f"{model.epochs} of {model.settings.number_of_epochs}"
            print(f"An interrupted training: {of_all} epochs.")

    # 3. Evaluate the accuracy on the test images
    probabilities = model.predict_proba(test_images)
    predictions = probabilities.argmax(axis=1)
    print(evaluation.report(test_labels, predictions), flush=True)

    # 4. Plot the loss and accuracy history
    import plots  # here, since matplotlib is slow to import

    figures, held_out = {}, held_out_name(model.settings)
    for quantity in ("loss", "accuracy"):
        figures[f"{quantity}.png"] = plots.plot_history(model.history, quantity, held_out)

    # 5. Confusion matrix
    figures["confusion_matrix.png"] = evaluation.plot_confusion_matrix(test_labels, predictions)

    # 6. Sample predictions, the most confident mistakes, and the weights of the hidden neurons
    sample = np.random.default_rng(model.settings.seed).choice(len(test_images), 25, replace=False)
    figures["predictions.png"] = plots.plot_predictions(
        test_images, test_labels, probabilities, sample, "Random test digits"
    )
    mistakes = evaluation.most_confident_mistakes(test_labels, probabilities)
    figures["mistakes.png"] = plots.plot_predictions(
        test_images, test_labels, probabilities, mistakes, "The most confident mistakes"
    )
    figures["weights.png"] = plots.plot_weights(model.network.weights[0])

    pictures = plots.save_figures(figures, options.plots_dir)
    print(f"Saved {len(pictures)} pictures in {printable(options.plots_dir)}.", flush=True)
    if options.show_plots:
        plots.show_pictures(pictures)


def train_and_save(training, test, options):
    """Train as the options say and save the Model; return it.

    training, test: images and labels, (n, 28, 28) uint8 and (n,), of MNIST.
    """
    if options.resume:
        model = load_model(options.resume)
        name = str(options.resume).removesuffix(PARTIAL).removesuffix(".npz")
        path = options.model or Path(f"{name}.npz")
        if model.is_complete:
            raise UserError(f"{options.resume}: its training is complete")
    else:
        model, path = untrained(options.settings), options.model or DEFAULT_MODEL
    check_savable(path)  # before the work
    settings = model.settings

    # Hold out validation images: the network is not trained on them but evaluated after each epoch.
    held_out = test
    if size := settings.validation_size:
        held_out = [array[-size:] for array in training]
        training = [array[:-size] for array in training]

    # Add digits in other styles, and non-digits.
    if settings.beyond_mnist:
        from handwriting.beyond_mnist import extra_images  # slow to import

        extra = extra_images(*training, random_generator(settings, BEYOND_MNIST))
        training = [np.concatenate(arrays) for arrays in zip(training, extra)]

    if options.seeds == 1:
        models = train(model, training, held_out)
    else:
        models = seed_study(settings, training, held_out, options.seeds)
    return save_while_training(models, path, options.resume)


def recognise_handwriting(options):
    """Recognise digits in pictures or drawings; return the exit status."""
    model = load_model(options.model or HANDWRITING_MODEL)
    if options.draw:
        from handwriting.draw import serve

        return serve(model, options.settings, options.address)
    from handwriting.predict import predict

    return predict(options.predict, model.predict_proba, options.settings, options.plots_dir)


if __name__ == "__main__":
    sys.exit(run_as_program(main))
