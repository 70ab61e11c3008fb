"""A closer look at single texels and latents."""
