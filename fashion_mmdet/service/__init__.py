"""The web service: photos in, garments out, as a REST interface and a page; needs the extra `serve`."""
