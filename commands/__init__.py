"""Commands that are not stages; make is their front door."""
