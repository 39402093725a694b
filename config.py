"""The settings and their meanings. Edit them, or override them for one training: --alpha 0.1."""

# Training
alpha = 0.15  # learning rate
number_of_epochs = 200  # passes over the training images
batch_size = 32  # images per gradient step
hidden_layers = (128,)  # neurons in each hidden layer
l2 = 0.00001  # strength of the L2 penalty on the weights
decay = True  # warm the learning rate up to alpha, then let it fall to 0 as a cosine
deskew = True  # straighten and centre the digits and bring them closer to one size
augment = True  # train on randomly distorted copies of the images, new ones every epoch
beyond_mnist = False  # also train on digits in other styles and on things that aren't digits
validation_size = 0  # training images held out for validation; 0: evaluate on the test images
seed = 0  # seed of every random choice

# Recognising handwriting
doubtful_below = 0.9  # a digit with a lower probability gets a question mark
left_out_below = 0.4  # a less probable digit is left out; among sure digits, 0.4 of this is enough
