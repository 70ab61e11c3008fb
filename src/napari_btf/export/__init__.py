"""What leaves the program for others: images so far."""
