"""What joblib brings along of other projects, under the names that others import."""
