"""`python -m bench`."""

from bench.startup import start

if __name__ == "__main__":
    start("bench.cli")
