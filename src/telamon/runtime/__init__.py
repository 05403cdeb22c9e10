"""What a running proxy shows and obeys: the stats socket, the stats page, CSV, JSON."""
