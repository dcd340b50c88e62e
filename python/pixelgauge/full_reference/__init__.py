"""Images against a reference: pixel errors, SSIM and MS-SSIM."""
