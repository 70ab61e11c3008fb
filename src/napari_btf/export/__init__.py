"""What leaves the program for others, and comes back: images, CSV."""
