"""Why each default is what it is. Values stand in the package alone; a default without a reason ends the build."""

__all__ = ["ARGUMENTS", "BOUNDS", "SETTINGS"]

ABLATED = "[one thing changed at a time](training.md#what-pays-and-what-does-not)"

# Fields of the configuration that have a default, by class.
SETTINGS = {
    "TrainingConfig": {
        "batch_size": "Usual; not tuned.",
        "learning_rate": f"Adam's usual rate. Constant, cosine and exponential schedules end within 0.01 nats ({ABLATED}).",
        "schedule": "Ends at rest without a choice of when to lower the rate; others are as good.",
        "final_rate": "Small beside the start. Not tuned.",
        "warmup_epochs": "None: local coordinates begin near the posterior. Not tuned.",
        "gradient_clip": "Off, so that a file says it where it wants it; the presets clip at 1, against single batches.",
        "coordinate_clip": "Only where modes are searched for: in `cell`, whose splines reach 6: 14 % of its cells have a coordinate beyond.",
        "validation_fraction": "5,000 of 100,000; the rest goes to training, for more simulations are what pays.",
        "early_stopping": "Off: the weights of the best epoch are kept anyway.",
        "seed": "Any number; written down, so that the same command gives the same network.",
    },
    "SummaryConfig": {
        "variant": f"The LSTM on the raw trace finds a hundredth of a nat more and trains 24 times as long ({ABLATED}).",
        "widths": "More than the presets' 64; wider layers gain nothing there.",
        "lstm_units": "As wide as the summary of the presets.",
        "patch": "5 ms at 0.2 ms: shorter than a membrane's time constant, and 25 times fewer steps.",
    },
    "FlowConfig": {
        "depth": "As in the recipe `lstm`; the presets take 4, for two more gain nothing.",
        "transform": f"Splines gain nothing in few directions ({ABLATED}); in the 19 of `cell` they keep draws bounded.",
        "widths": "More than the presets' 64 (`cell`: 32); twice as wide gains nothing there.",
        "normalization": "Needs no statistics of batches; batch normalization, or none, is within 0.01 nats.",
    },
    "NetworkConfig": {
        "summary": "As above.",
        "flow": "As above.",
        "standardize": "Worth 2.7 nats: without coordinates of each recording's own nothing else matters.",
        "untold": "All is told of few parameters; without its 171 correlations `cell` learns 0.5 nats more.",
    },
    "SimulatorConfig": {
        "stimuli": "Either these or protocols must be given: no currents are right for every laboratory.",
        "protocols": "Only for cells of many sweeps.",
        "search": "With protocols: 85 % of the cells begin with a search, as experimenters do.",
    },
}

# Arguments of public functions, by name, wherever they occur.
ARGUMENTS = {
    "n_draws": "1,000 put the ends of a 90 % interval within a tenth of an SD; checks of many recordings need fewer of each.",
    "seed": "The same seed gives the same result.",
    "correct": "Corrects wherever the likelihood is that of the data: not where noises are read off, for it takes them at their word.",
    "hold_out": "One sweep in five, of at least four, never the first or the last: families of steps are not extrapolated.",
    "network": "The network for real cells.",
    "timeout": "s for a file; a search of many sweeps takes minutes on a slow machine.",
    "shard_size": "Files, or recordings, in a piece of work: few, so that little is lost where it stops. Not tuned.",
    "interval": "90 %, as in the tables: its ends are steadier than those of 95 % with as many draws.",
    "probability": "As above.",
    "n_bins": "At least five of 100 recordings in each, which chi-square needs.",
    "finer": "A quarter of dt: what a finer grid changes shows, and it takes four times as long.",
    "n": "As many neurons or recordings as the figure needs.",
    "n_exact": "Exact posteriors take seconds each; these show where the network could be at best.",
    "without": "Nothing is left out of a neuron unless you say so.",
    "holding": "pA; no holding current.",
    "mean": "pA; around zero.",
    "start": "pA; from nothing.",
    "phase": "rad; begins at its mean.",
    "name": "Only a label.",
    "source": "Only a label.",
    "rows": "All of them.",
    "size": "Recordings at a time that fit into memory.",
}

# Bounds and numbers that decide something, by module.
BOUNDS = {
    "recordings.reading": {
        "_DT": "Sampling interval, ms, where none is asked for: that of `lif`, `standard` and `lstm`."
    },
    "recordings.spikes": {
        "_SLOPE": "Least upstroke of a spike, mV/ms, in cells whose spikes are small; a leak charges as fast, but does not come back.",
        "_HEIGHT": "Least height of a spike, mV, likewise.",
        "_PEAK": "mV that the peak of a spike exceeds: a step through the access resistance begins at rest, and ends below.",
        "_TALLEST": "mV: the height of a spike counts up to this where it adapts the bounds, for what is taller is an artefact.",
        "_SLOPE_SHARE": "Otherwise this share of the median large spike's slope,",
        "_HEIGHT_SHARE": "and this share of its height: spikes of any size are found, and their afterwaves are not.",
    },
    "simulator.config": {"SHORTEST": "Shortest recording, ms: less holds less than a few time constants."},
    "likelihood.importance": {
        "LARGEST_K_HAT": "Pareto k-hat above which weights are not trusted (Vehtari et al. 2024).",
        "LEAST_ESS": "Effective draws: with fewer, the tails of an interval rest on less than five.",
    },
    "models.correction": {
        "OVERSAMPLING": "Network's draws for each corrected one, so that hardly any is drawn twice.",
        "DEFENSIVE_SHARE": "Share of the latent draws that is spread, and by how much:",
        "DEFENSIVE_SPREAD": "the smallest with which [none of 400 recordings failed](accuracy.md#why-a-share-of-the-draws-is-spread).",
        "LEAST_EFFICIENCY": "Effective share of draws that are only checked, below which the network missed the posterior.",
    },
    "likelihood.populations": {
        "N_POPULATIONS": "Independent populations of particles: their agreement is the check.",
        "LARGEST_R_HAT": "That agreement.",
    },
    "likelihood.read_off": {
        "LEAST_SAMPLES": "Samples at rest from which noise is read: 10 ms; from less, the prior's median stands in."
    },
    "diagnostics.adequacy": {
        "GOOD_EPS_V": "Share of the variance of V that a good model explains: [a judgement](verdict.md#the-verdict) by what good models of cortical cells reach.",
        "MOST_MISSED": "Share of spikes missed or too many; a judgement, likewise.",
        "COVERAGE": "Share of V that the 90 % band may hold.",
    },
    "diagnostics.hold_out": {
        "ONE_IN": "Of how many sweeps one is kept back,",
        "LEAST_SWEEPS": "from how many on: less would leave too little to infer from.",
    },
    "diagnostics.spread": {"AGREE": "p-value above which sweeps agree; many parameters are asked."},
    "diagnostics.conflict": {
        "FAR": "Prior SDs: of ten parameters of a neuron of the prior, one in 37 has one so far out."
    },
    "diagnostics.cloud": {
        "ATYPICAL": "p-value below which a recording is atypical: 1 in 20 of the model's own,",
        "VERY_ATYPICAL": "and very atypical: 1 in 200.",
    },
    "diagnostics.typicality": {"N_SIMULATIONS": "Half of them calibrate: p-values down to 1 in 4,000, in a minute."},
    "diagnostics.verdicts": {
        "FALSE_ALARM": "Probability with which an exact posterior fails a check of `diagnose`, all its comparisons together.",
        "LARGEST_GAP": "Nats of validation above training: beyond it simulations are learned by heart.",
        "MOST_FAILED": "Share of recordings whose importance weights may fail.",
    },
    "app.limits": {
        "UPLOAD_BYTES": "Bytes of a file from the browser: 22 minutes of two channels at 50 kHz.",
        "MOST_UPLOADED": "Bytes of all files of a page: four of the largest.",
        "MOST_LISTED": "Files of a folder that are listed: more are no list to choose from.",
        "LISTING_SECONDS": "s of looking for them, where a folder is large or far away.",
        "MOST_DRAWS": "Draws that may be asked for in the browser.",
        "INFERENCE_SECONDS": "s after which an inference in the browser is ended: a cell of many sweeps takes minutes.",
    },
}
