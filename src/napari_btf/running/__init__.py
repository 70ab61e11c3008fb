"""How long jobs run: what they report, what interrupts them, on how many cores and machines."""
