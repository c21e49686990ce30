"""How files are handed out to processes that test side by side (`make test JOBS=2`)."""

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class FileByFile(LoadFileScheduling):
    """One file after another, as xdist does it, with an end when a process was lost.

    xdist 3.8 runs the test that a process was lost with again in the next one; hands tests to a process that is still
    collecting, which is an error in itself; and waits for ever for a process that holds one last test, as a process
    begins a test when it knows the one after, or that there is none.
    """

    def remove_node(self, node: "WorkerController") -> str | None:
        """Hand out again what a lost process had not begun; the test that it was lost with, or None."""
        workload = self.assigned_work.pop(node)
        lost_with = next((test for unit in workload.values() for test, done in unit.items() if not done), None)
        if lost_with is None:
            return None
        workload[self._split_scope(lost_with)][lost_with] = True
        self.workqueue.update({scope: unit for scope, unit in workload.items() if not all(unit.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return lost_with

    def _reschedule(self, node: "WorkerController") -> None:
        if node not in self.registered_collections:
            return  # `schedule` comes by when it has collected
        super()._reschedule(node)
        if not self.workqueue:
            node.shutdown()  # it does what it has before
