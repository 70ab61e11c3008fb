"""A network that imagines pairs in wide gaps between the captured directions.

The network only helps to fit the neural-basis codec; no model contains it.
"""
