"""Section *Inspect* of *Latent space*: single texels, walks between two, edited latents."""
