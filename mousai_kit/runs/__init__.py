"""What lies on the disk: run folders, checkpoints, adapters, weights from and for elsewhere."""
