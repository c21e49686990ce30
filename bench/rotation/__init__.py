"""What does the function that decides on a refresh cost, with everything in it? Run it with `make bench-rotation`."""
