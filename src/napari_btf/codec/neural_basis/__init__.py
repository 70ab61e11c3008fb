"""The neural-basis codec: linear in the latents."""
