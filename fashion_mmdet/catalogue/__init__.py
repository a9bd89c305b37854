"""A shop's photos as a table of garments, and what is asked of it: alike, in stock, worn together, on the rise."""
