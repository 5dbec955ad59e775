import dask
import distributed

from leakyflow.batches import engine


def test_a_machine_that_others_keep_busy_is_no_failure(monkeypatch):
    seen = {}

    class Quick:
        """In place of processes."""

        def __init__(self, *_, **__):
            seen.update({name: dask.config.get(name) for name in engine.OWN})

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(distributed, "LocalCluster", Quick)
    monkeypatch.setattr(distributed, "Client", Quick)
    before = {name: dask.config.get(name) for name in engine.OWN}
    with engine._client(None, 2):
        pass
    assert seen == engine.OWN != before
    assert {name: dask.config.get(name) for name in engine.OWN} == before
