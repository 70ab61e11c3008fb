"""Running long jobs: their reports, signals that interrupt them, threads, processes, clusters."""
