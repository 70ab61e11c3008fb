"""What ties *Relight* to the open capture: a preview, its directions, and its sliders."""
