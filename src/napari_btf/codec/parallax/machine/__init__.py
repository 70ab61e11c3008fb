"""The training of the parallax codec in machine code."""
