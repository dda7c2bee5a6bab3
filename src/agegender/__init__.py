"""Age-group and gender classification of faces: data, networks, methods and one comparison table."""

__version__ = "0.1.0"
