"""What screens show: frozen snapshots, and the functions that read them on the store's reader thread."""
