"""Functions of directions from samples: they know no codec."""
