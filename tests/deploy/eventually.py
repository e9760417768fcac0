import time


def eventually(probe, seconds=60):
    """What `probe` gives, as soon as that is true."""
    end = time.monotonic() + seconds
    while not (value := probe()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return value
