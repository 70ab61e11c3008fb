"""Section *Segment* of *Latent space*: materials by clusters of latents, growing selections."""
