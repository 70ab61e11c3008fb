"""Which texels there are to learn from, and what single texels look like."""
