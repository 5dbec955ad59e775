from threading import Event, Thread

import keras
import numpy as np

from leakyflow.models.backend import blank_weights


def kernel() -> np.ndarray:
    """Initial weights of a layer that is built now."""
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    return keras.ops.convert_to_numpy(layer.kernel)


def test_weights_are_blank_within_and_drawn_again_afterwards():
    with blank_weights():
        assert not kernel().any()
    assert kernel().all()


def test_other_threads_draw_theirs_meanwhile_and_take_their_turn_to_blank():
    drawn, blank, inside = [], [], Event()

    def draw():
        drawn.append(kernel())

    def blank_too():
        with blank_weights():
            inside.set()
            blank.append(kernel())

    before = keras.Layer.add_weight
    threads = [Thread(target=draw), Thread(target=blank_too)]
    with blank_weights():
        for thread in threads:
            thread.start()
        threads[0].join()
        assert not inside.wait(0.2)
    threads[1].join()
    assert drawn[0].all()
    assert not blank[0].any()
    assert keras.Layer.add_weight is before
