"""A dump as a page of pictures: true and predicted side by side, with the error type of every object."""
