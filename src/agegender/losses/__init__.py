"""Methods: what the age head's outputs mean, how they are trained, and how they become an age. One family a file."""
