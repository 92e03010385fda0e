"""Small real jobs: each is a program of its own, given the folder it works in."""
