"""Diagram of a network."""

from figure_examples import conv, texts

from agegender.report.figures.network import Layer, boxes, network_diagram


def test_what_neither_learns_nor_pools_is_not_drawn():
    layers = [conv(8, 32), Layer("r", "ReLU", (8, 32, 32), 0, 0), Layer("p", "MaxPool2d", (8, 16, 16), 0, 0)]
    assert [(box.kinds, box.shape) for box in boxes(layers)] == [
        ("Conv2d", "8 x 32 x 32"),
        ("MaxPool2d", "8 x 16 x 16"),
    ]


def test_consecutive_layers_of_one_shape_are_one_box_where_there_are_more_than_sixteen():
    layers = [conv(8, 32)] * 10 + [conv(16, 16)] * 6
    assert len(boxes(layers)) == 16
    found = boxes([*layers, Layer("fc", "Linear", (10,), 5, 7)])
    assert [(box.kinds, box.shape) for box in found] == [
        ("10 x Conv2d", "8 x 32 x 32"),
        ("6 x Conv2d", "16 x 16 x 16"),
        ("Linear", "10"),
    ]
    assert (found[0].num_params, found[0].macs) == (10_000, 20_000_000)


def test_layers_that_alternate_in_channels_are_one_box_where_there_are_too_many():
    layers = [conv(channels, 7) for _ in range(20) for channels in (192, 48)]
    assert [(box.kinds, box.shape) for box in boxes(layers)] == [("40 x Conv2d", "48-192 x 7 x 7")]


def test_a_network_tells_its_shapes_and_costs():
    figure = network_diagram([conv(8, 32), Layer("fc", "Linear", (10,), 11_181_642, 999_999)], "n", "Network")
    assert {"Conv2d", "8 x 32 x 32", "1 k parameters, 2 M MACs", "11.2 M parameters, 1 M MACs"} <= set(texts(figure))
    assert "Conv2d to 8 x 32 x 32; Linear to 10" in figure.alt
