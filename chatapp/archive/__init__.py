"""What a server keeps, outside of it: exports, which any server of the same schema takes in, and backups."""
