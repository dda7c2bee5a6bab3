"""Networks with two heads: age, whose width the method chooses, and gender. One architecture per file."""
