"""What is run, timed, scored, compared and reported."""
