"""A dump as a page of pictures: true and predicted side by side, every object judged."""
