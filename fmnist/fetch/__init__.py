"""Get the four raw files, checked, from the first mirror that has them."""
