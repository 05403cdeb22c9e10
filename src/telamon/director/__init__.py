"""Virtual servers as a sans-IO core."""
