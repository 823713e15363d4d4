"""`--engine ray`: every job is a task on a Ray cluster.

Where it lands, it runs in a worker process as it would here. Machines share the runs folder, or
pass files on through an fsspec URL (`artefacts`). A task whose machine is lost is done again
elsewhere by Ray, and in a shared folder goes on from its last checkpoint.
"""

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from stagelift.evals.models import bundled
from stagelift.evals.models.model import Device, Dtype
from stagelift.evals.trust import VARIABLE, trust
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.sections import RaySection
from stagelift.harness.recipes.trusted import check_ray_trusted
from stagelift.harness.workers.artefacts import fetch, node_folder, passed_on, send
from stagelift.harness.workers.executor import JobFailed, NoRoom, OnJobEvent
from stagelift.harness.workers.jobs import MODEL_FIELDS, AnyJob, starting_model
from stagelift.harness.workers.local import run_worker
from stagelift.harness.workers.packages import python_path
from stagelift.stages import precision
from stagelift.stages.folders import NodeFolder
from stagelift.stages.precision import DtypeSetting

# jobs that wait for Ray to place them
_AT_ONCE = 64
_LAST_EVENTS_SECONDS = 10
_LEAVE = "leave"


class RayExecutor:
    """Submits jobs to a cluster and follows them.

    Raises UsageError where there is no Ray or no cluster.
    """

    def __init__(self, settings: RaySection, root: Path, jobs: int | None) -> None:
        check_ray_trusted(settings.address, settings.artefacts)
        ray = _connected(settings.address)
        self.ray, self.settings, self.root, self.jobs = ray, settings, root, jobs or _AT_ONCE
        gpus = settings.num_gpus
        if gpus is None:
            gpus = min(1, ray.cluster_resources().get("GPU", 0))
        self.needs = {"num_cpus": settings.num_cpus, "num_gpus": gpus}
        _refuse_what_no_machine_has(ray, self.needs)
        self.listeners: dict[str, OnJobEvent] = {}
        self.running: set[Any] = set()
        self.stopped = False
        self.events = _events_queue(ray)
        self.listener = Thread(target=self._listen, daemon=True)
        self.listener.start()

    def precise(self, setting: DtypeSetting) -> tuple[Device, Dtype]:
        """Ask a machine that would do the work; the one that conducts it need not have a GPU."""
        asked = self.ray.remote(**self.needs)(precision.resolved).remote(setting)
        answer: tuple[Device, Dtype] = self.ray.get(asked)
        return answer

    def run(self, job: AnyJob, on_event: OnJobEvent) -> None:
        """Run one job somewhere, passing on its events. Raises JobFailed."""
        url = self.settings.artefacts
        if url is not None:
            send(url, self.root, passed_on(job))
        with self._listening(on_event) as key:
            options = {**self.needs, "max_retries": self.settings.max_retries}
            task = self.ray.remote(**options)(_work)
            reference = task.remote(
                _portable(job), str(self.root), url, str(Path.cwd()), key, self.events
            )
            self._wait_for(reference)
        if url is not None:
            fetch(url, self.root, [node_folder(job)])

    def stop(self) -> None:
        """Cancel every task; a worker process ends with the task that started it."""
        self.stopped = True
        for reference in list(self.running):
            self.ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster.

        Ray ends a process with an error where a thread still waits for it at the end.
        """
        self.events.put(_LEAVE)
        self.listener.join(_LAST_EVENTS_SECONDS)
        self.ray.shutdown()

    def _wait_for(self, reference: Any) -> None:
        self.running.add(reference)
        if self.stopped:
            self.ray.cancel(reference, force=True)
        try:
            self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            kind = NoRoom if isinstance(error.cause, NoRoom) else JobFailed
            raise kind(str(error.cause)) from error
        except self.ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())
            raise JobFailed(
                f"Ray gave the job up after {self.settings.max_retries} retries: {reason}"
            ) from error
        finally:
            self.running.discard(reference)

    @contextmanager
    def _listening(self, on_event: OnJobEvent) -> Iterator[str]:
        """Pass on what a task says under a key, to its last event."""
        key, ended = uuid4().hex, Event()

        def show(event: dict[str, Any]) -> None:
            if event["event"] == "ended":
                ended.set()
            else:
                on_event(event)

        self.listeners[key] = show
        yield key
        ended.wait(_LAST_EVENTS_SECONDS)
        del self.listeners[key]

    def _listen(self) -> None:
        while (said := self.events.get()) != _LEAVE:
            key, event = said
            listener = self.listeners.get(key)
            if listener is not None:
                listener(event)


def _work(job: AnyJob, root: str, url: str | None, folder: str, key: str, events: Any) -> None:
    """Run a job on the machine that Ray chose.

    It runs in the conductor's folder if that is here: the recipe's paths are relative to it.
    """
    import ray

    here = str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]  # ray is typed in parts

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "starting":
            event = {**event, "on": here}
        events.put((key, event))

    try:
        if Path(folder).is_dir():
            os.chdir(folder)
        if url is not None:
            _work_apart(job, Path(root), url, show)
        elif not NodeFolder(Path(root) / node_folder(job)).is_described():
            raise JobFailed(
                f"Machine {here} does not see the runs folder {root}. Give --runs a folder that "
                "all machines share, or ray.artefacts a URL through which they pass files on."
            )
        else:
            run_worker(job, show)
    finally:
        show({"event": "ended"})


def _work_apart(job: AnyJob, root: Path, url: str, show: OnJobEvent) -> None:
    """Work in a runs folder of this machine's own.

    It fetches what the job reads, and sends back what it made.
    """
    with tempfile.TemporaryDirectory(prefix="stagelift-") as own:
        fetch(url, Path(own), passed_on(job))
        moved = type(job).model_validate_json(job.model_dump_json().replace(str(root), own))
        try:
            run_worker(moved, show)
        finally:
            send(url, Path(own), [node_folder(job)])


def _portable(job: AnyJob) -> AnyJob:
    """Name the bundled model by its name: its folder is another one on every machine."""
    if not bundled.is_prepared():
        return job
    model = starting_model(job)
    if model.path != str(bundled.bundled_model()):
        return job
    named = model.model_copy(update={"path": bundled.NAME})
    return job.model_copy(update={MODEL_FIELDS[type(job)]: named})


def _connected(address: str) -> Any:
    """Connect to the cluster and return Ray. Raises UsageError."""
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs Ray, which is not installed: pip install ray"
        ) from error
    try:
        named = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
        _refuse_silence(named)
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            ignore_reinit_error=True,
            runtime_env={"env_vars": {"PYTHONPATH": python_path(), VARIABLE: trust().name}},
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"There is no Ray cluster at '{address}'. Start one with `ray start --head`, or name "
            "its address in the recipe's ray.address or in RAY_ADDRESS."
        ) from error
    return ray


def _refuse_silence(address: str) -> None:
    """Raise ConnectionError where nobody answers at host:port; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise ConnectionError(address) from error


def _refuse_what_no_machine_has(ray: Any, needs: dict[str, float]) -> None:
    """A task that fits nowhere would wait for ever."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = {"CPU": needs["num_cpus"], "GPU": needs["num_gpus"]}
    if not any(
        all(machine.get(name, 0) >= count for name, count in wanted.items()) for machine in machines
    ):
        raise UsageError(
            f"No machine of the Ray cluster has {wanted['CPU']:g} CPUs and {wanted['GPU']:g} GPUs, "
            "which ray.num_cpus and ray.num_gpus ask for each node."
        )


def _events_queue(ray: Any) -> Any:
    """Make a queue that lives on this machine: no other takes it along when it is lost."""
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
