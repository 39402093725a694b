"""Read handwritten digits with a multi-layer perceptron, written by hand in NumPy.

    python main.py                  show how well the trained network reads the MNIST test digits
    python main.py --train-model    train a new one first
    python main.py --resume FILE    go on with a training that was interrupted
    python main.py --predict FILE   read the digits in a picture, or several, of your own
    python main.py --draw           read the digits you draw with the mouse

The first three print the accuracy on the 10,000 test images and save six pictures in plots/.
"""

import sys

import numpy as np

from command_line import parse_command_line, partial_path, run_as_program, training_settings
from data_preprocessing import load_mnist, preprocess
from save_load import is_partial, load_model, save_model
from train import Interrupted, seed_study, train
from utils import UserError, check_writable

train_model = False  # True: train a new network; False: load the trained one


def main(arguments=None):
    options, settings = parse_command_line(train_model, arguments)
    if options.predict or options.draw:
        return read_handwriting(options)

    # 1. Load MNIST
    training_images, training_labels, test_images, test_labels = load_mnist()

    # 2. Train a network, or load the trained one
    if options.train_model or options.resume:
        data = (training_images, training_labels), (test_images, test_labels)
        network, history, settings = train_and_save(*data, options, settings)
    else:
        network, history, settings = load_model(options.model)
        if is_partial(history, settings):
            epochs = f"{len(history['training_loss'])} of {settings.number_of_epochs} epochs"
            print(f"{options.model} is of an interrupted training: {epochs}")
    X_test = preprocess(test_images, settings.deskew)  # as the network's training images were

    # 3. Plot the loss and accuracy history
    import evaluation  # not before it is needed: matplotlib takes a while to import

    held_out = "validation" if settings.validation_size else "test"
    figures = {
        "loss.png": evaluation.plot_history(history, "loss", held_out),
        "accuracy.png": evaluation.plot_history(history, "accuracy", held_out),
    }

    # 4. Evaluate the accuracy on the test images
    probabilities = network.predict_proba(X_test)
    confusions = evaluation.count_confusions(test_labels, probabilities.argmax(axis=1))
    print(evaluation.report(confusions))

    # 5. Confusion matrix
    figures["confusion_matrix.png"] = evaluation.plot_confusion_matrix(confusions)

    # 6. Sample predictions, the most confident mistakes, and what the network looks for
    sample = np.random.default_rng(settings.seed).choice(len(test_images), 25, replace=False)
    figures["predictions.png"] = evaluation.plot_predictions(
        test_images, test_labels, probabilities, sample, "Random test digits"
    )
    mistakes = evaluation.most_confident_mistakes(test_labels, probabilities)
    figures["mistakes.png"] = evaluation.plot_predictions(
        test_images, test_labels, probabilities, mistakes, "The most confident mistakes"
    )
    figures["weights.png"] = evaluation.plot_weights(network.weights[0])

    evaluation.save_figures(figures, options.plots_dir)
    print(f"Saved {len(figures)} pictures in {options.plots_dir}.")
    if options.show_plots:
        evaluation.show_figures()


def train_and_save(training, test, options, settings):
    """Train as the options say and save the network; return it, its history and its settings.

    What an interrupted training has learnt is kept beside the file that it was for.
    """
    for path in (options.model, options.plots_dir / "loss.png"):
        check_writable(path)  # better known now than after the training
    begun = None
    if options.resume:
        *begun, settings = load_model(options.resume)
        settings = training_settings(vars(settings), options.resume)
        if not is_partial(begun[1], settings):
            raise UserError(f"{options.resume}: its training is complete")
    try:
        if options.seeds == 1:
            network, history = train(training, test, settings, begun)
        else:
            network, history = seed_study(training, test, settings, options.seeds)
    except Interrupted as interrupted:
        path = partial_path(options.model)
        save_model(path, *interrupted.args, settings)
        raise KeyboardInterrupt(f"what was learnt is kept: go on with --resume {path}") from None
    save_model(options.model, network, history, settings)
    print(f"Saved the network in {options.model}.")
    return network, history, settings


def read_handwriting(options):
    """Read the pictures of --predict, or what is drawn with --draw; return the exit status."""
    network, _, settings = load_model(options.model)

    def read(digits):
        """Probabilities (n, 10) of the digits in images (n, 28, 28) uint8."""
        return network.predict_proba(preprocess(digits, settings.deskew))

    if options.draw:
        from draw import open_window

        open_window(read, options.plots_dir)
        return 0

    from handwriting import digit_texts, read_digits

    answers, failures = [], 0
    for path in options.predict:
        try:
            picture, digits, boxes = read_digits(path)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            failures += 1
            continue
        if not len(digits):
            print(f"{path}: no digit found")
            failures += 1
            continue
        probabilities = read(digits)
        texts = digit_texts(probabilities, options.doubtful_below)
        numbers = " ".join(f"{probability:.2f}" for probability in probabilities.max(axis=1))
        print(f"{path}: {''.join(texts)}  ({numbers})", flush=True)
        answers.append((path, picture, digits, boxes, probabilities, texts))
    if answers:
        import evaluation  # after the answers: it takes longer to import than they take

        figures = {"recognised.png": evaluation.plot_recognised(answers)}
        evaluation.save_figures(figures, options.plots_dir)
        print(f"Saved what the network saw in {options.plots_dir / 'recognised.png'}.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(run_as_program(main))
