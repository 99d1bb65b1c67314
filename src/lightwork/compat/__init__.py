"""Other libraries' faces on lightwork: `lightwork.compat.joblib`. Nothing below imports this package."""
