"""What is kept, for how long, and how it comes back: backups and retention."""
