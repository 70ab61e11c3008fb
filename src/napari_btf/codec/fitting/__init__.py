"""What the trainings of all codecs share: settings, checks, the loop, checkpoints, processes.

Nothing here knows a codec. What only one codec needs belongs in the folder of that codec.
"""
