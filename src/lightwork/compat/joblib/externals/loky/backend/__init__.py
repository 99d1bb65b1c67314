"""What others import of loky's inner parts."""

from .context import get_context

__all__ = ["get_context"]
