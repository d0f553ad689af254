"""As much of Ray as an engine pool uses, in this process; workers can be killed."""

from contextlib import contextmanager
from types import SimpleNamespace


class FakeRayError(Exception):
    """Ray's base of everything that goes wrong."""


class FakeTaskError(FakeRayError):
    """An error that a task has raised."""

    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause


class Actor:
    """A worker. `ray.deaths` says at which calls of `draw` one is killed."""

    def __init__(self, ray, made):
        self.ray, self.made, self.alive = ray, made, True

    def __getattr__(self, name):
        return SimpleNamespace(remote=lambda *args: Reference(self, name, args))


class Reference:
    def __init__(self, actor, name, args):
        self.actor, self.name, self.args = actor, name, args

    def value(self):
        ray, actor = self.actor.ray, self.actor
        if self.name == "draw":
            ray.draws += 1
            if ray.draws in ray.deaths:
                actor.alive = False
        if not actor.alive:
            raise FakeRayError("The actor died unexpectedly")
        try:
            return getattr(actor.made, self.name)(*self.args)
        except Exception as error:
            raise FakeTaskError(error) from error


class FakeRay:
    """Stands in for the module `ray`.

    Args:
        resources: of the cluster.
        deaths: the numbers of the calls of `draw` that kill their worker.
    """

    exceptions = SimpleNamespace(RayError=FakeRayError, RayTaskError=FakeTaskError)

    def __init__(self, resources, deaths=()):
        self.resources, self.deaths = resources, set(deaths)
        self.draws, self.started = 0, []

    def cluster_resources(self):
        return self.resources

    def remote(self, **options):
        def decorate(kind):
            def start(*args):
                self.started.append(options)
                return Actor(self, kind(*args))

            return SimpleNamespace(remote=start)

        return decorate

    def put(self, value):
        return value

    def kill(self, actor):
        actor.alive = False

    def wait(self, references, timeout):
        # The last one first: nothing may hang on the order of replies.
        return references[-1:], references[:-1]

    def get(self, reference):
        return reference.value()

    @contextmanager
    def session(self, address=None):
        yield self
