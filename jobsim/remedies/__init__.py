"""What AutoRemedy may do for the jobs of the lab: each is a program of its own."""
