"""What a browser is shown, one file each."""
