"""What networks see: LPIPS and Inception features."""
