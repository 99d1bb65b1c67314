"""The runner of a session on its way: whole, or without what its worker has had from an earlier session."""

from ...parcel.parcels import Parcel, split
from ...protocols import Runner, SupportsPreparation, supports
from .link import WorkerLink

__all__ = ["Preparing"]


class Preparing:
    """What the workers of one session begin with."""

    def __init__(self, runner: Runner) -> None:
        """Raises `UnpicklableError` for a runner that cannot travel, before any worker begins."""
        self._runner = runner
        light, self._digest = runner, b""
        self.title = ""
        """What the preparation is called in messages; empty if there is none."""
        if supports(runner, SupportsPreparation):
            light, self._digest, self.title = (runner.without_preparation(), runner.preparation, runner.title)
        self._light = split(light, by_value=True, path="runner")
        self._whole = None if self._digest else self._light

    def runner_for(self, link: WorkerLink) -> Parcel:
        """The runner for a worker that begins the session now."""
        if self._digest and link.preparation == self._digest:
            return self._light
        if self._digest:
            link.preparation = b""  # if this one fails, the worker has none
        if self._whole is None:
            self._whole = split(self._runner, by_value=True, path="runner")
        return self._whole

    def note_result(self, link: WorkerLink) -> None:
        """A task has ended well there, so the worker is prepared."""
        if self._digest:
            link.preparation = self._digest
