"""Networks with two heads: age, whose width the method chooses, and gender. One architecture a file."""
