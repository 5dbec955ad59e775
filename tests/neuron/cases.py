"""Parameters with which each mechanism is on: a new one needs a row here, and nothing else in the tests."""

ON = {
    "ahp_fast": {"ahp_fast": -150.0, "ahp_fast_tau": 8.0},
    "ahp_slow": {"ahp_slow": -20.0, "ahp_slow_tau": 120.0},
    "threshold_jump": {"threshold_jump": 4.0, "threshold_jump_tau": 20.0},
    "threshold_coupling": {"threshold_coupling": 0.4, "threshold_coupling_tau": 8.0},
    "sag": {"sag": 0.5, "sag_tau": 40.0},
    "dendrite_share": {"dendrite_share": 0.3, "dendrite_tau": 2.0},
}
ALL = {name: value for entries in ON.values() for name, value in entries.items()}
