"""The doors through which messages come and go, one file each."""
