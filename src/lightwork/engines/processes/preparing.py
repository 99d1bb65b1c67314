"""The runner of a session on its way: whole, or without what its worker has had from an earlier session."""

from ...parcel.parcels import Parcel, split
from ...protocols import Runner, SupportsPreparation
from .link import WorkerLink

__all__ = ["Preparing"]


class Preparing:
    """What the workers of one session begin with. Both forms of the runner are made when first needed."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._digest = runner.preparation if isinstance(runner, SupportsPreparation) else b""
        self._whole: Parcel | None = None
        self._lighter: Parcel | None = None
        if not self._digest:
            self._whole = _split(runner)  # an error in it is found before any worker begins

    @property
    def title(self) -> str:
        """What the preparation is called in messages; empty if there is none."""
        runner = self._runner
        return runner.title if isinstance(runner, SupportsPreparation) else ""

    def runner_for(self, link: WorkerLink) -> Parcel:
        """The runner for a worker that begins the session now."""
        runner = self._runner
        if self._digest and link.preparation == self._digest and isinstance(runner, SupportsPreparation):
            self._lighter = self._lighter or _split(runner.without_preparation())
            return self._lighter
        if self._digest:
            link.preparation = b""  # if this one fails, the worker has none
        self._whole = self._whole or _split(runner)
        return self._whole

    def note_result(self, link: WorkerLink) -> None:
        """A task has ended well there, so the worker is prepared."""
        if self._digest:
            link.preparation = self._digest


def _split(runner: Runner) -> Parcel:
    return split(runner, by_value=True, path="runner")
