"""What the decoders of all codecs share: parts of the grid, layers, machine code, devices.

Nothing here knows a codec or a model. What only one codec needs belongs in the folder of that
codec.
"""
