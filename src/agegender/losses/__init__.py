"""Methods: the meaning of the age head's outputs, their loss, and how they become an age. One family per file."""
