"""The map of *Latent space*: its picture, its mouse, its colours."""
