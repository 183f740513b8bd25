"""The variables of the network."""

from soundalike.encoders.vggish.layout import variable_shapes


def test_variables_are_those_of_the_published_checkpoint():
    assert variable_shapes() == {
        "vggish/conv1/weights": (3, 3, 1, 64),
        "vggish/conv1/biases": (64,),
        "vggish/conv2/weights": (3, 3, 64, 128),
        "vggish/conv2/biases": (128,),
        "vggish/conv3/conv3_1/weights": (3, 3, 128, 256),
        "vggish/conv3/conv3_1/biases": (256,),
        "vggish/conv3/conv3_2/weights": (3, 3, 256, 256),
        "vggish/conv3/conv3_2/biases": (256,),
        "vggish/conv4/conv4_1/weights": (3, 3, 256, 512),
        "vggish/conv4/conv4_1/biases": (512,),
        "vggish/conv4/conv4_2/weights": (3, 3, 512, 512),
        "vggish/conv4/conv4_2/biases": (512,),
        "vggish/fc1/fc1_1/weights": (12288, 4096),
        "vggish/fc1/fc1_1/biases": (4096,),
        "vggish/fc1/fc1_2/weights": (4096, 4096),
        "vggish/fc1/fc1_2/biases": (4096,),
        "vggish/fc2/weights": (4096, 128),
        "vggish/fc2/biases": (128,),
    }
