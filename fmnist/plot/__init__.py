"""Draw what a person looks at."""
