"""How many tasks a batch has, from how long the last ones took."""

__all__ = ["AutoBatchingMixin"]

_SMOOTHING = 0.8


class AutoBatchingMixin:
    """Makes batches so large that they take between two times, in seconds.

    Shorter ones cost more to send than to run; longer ones leave workers without work at the end.
    """

    MIN_IDEAL_BATCH_DURATION = 0.2
    MAX_IDEAL_BATCH_DURATION: float = 2

    _DEFAULT_EFFECTIVE_BATCH_SIZE = 1
    _DEFAULT_SMOOTHED_BATCH_DURATION = 0.0

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._effective_batch_size = self._DEFAULT_EFFECTIVE_BATCH_SIZE
        self._smoothed_batch_duration = self._DEFAULT_SMOOTHED_BATCH_DURATION

    def compute_batch_size(self) -> int:
        """Tasks for the next batch."""
        old, duration = self._effective_batch_size, self._smoothed_batch_duration
        size = old
        if 0 < duration < self.MIN_IDEAL_BATCH_DURATION:
            ideal = int(old * self.MIN_IDEAL_BATCH_DURATION / duration)
            size = max(1, min(2 * old, 2 * ideal))
            self._say("fast", duration, size)
        elif duration > self.MAX_IDEAL_BATCH_DURATION and old >= 2:
            ideal = int(old * self.MIN_IDEAL_BATCH_DURATION / duration)
            size = max(1, 2 * ideal)
            self._say("slow", duration, size)
        if size != old:
            self._effective_batch_size = size
            self._smoothed_batch_duration = self._DEFAULT_SMOOTHED_BATCH_DURATION
        return size

    def batch_completed(self, batch_size: int, duration: float) -> None:
        """Take in how long a batch took. One of another size tells nothing of the present one."""
        if batch_size == self._effective_batch_size:
            old = self._smoothed_batch_duration
            is_first = old == self._DEFAULT_SMOOTHED_BATCH_DURATION
            self._smoothed_batch_duration = (
                duration if is_first else _SMOOTHING * old + (1 - _SMOOTHING) * duration
            )

    def reset_batch_stats(self) -> None:
        """Begin anew, with one task."""
        self._effective_batch_size = self._DEFAULT_EFFECTIVE_BATCH_SIZE
        self._smoothed_batch_duration = self._DEFAULT_SMOOTHED_BATCH_DURATION

    def _say(self, what: str, duration: float, size: int) -> None:
        parallel = getattr(self, "parallel", None)
        if parallel is not None and parallel.verbose >= 10:
            parallel._print(f"Batch computation too {what} ({duration}s.) Setting batch_size={size}.")
