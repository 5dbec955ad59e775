"""A batch whose workers Dask asks SLURM for, as many as it needs and no more than 100.

pip install 'leakyflow[cluster]' dask-jobqueue
"""

from dask_jobqueue import SLURMCluster

import leakyflow as lf

if __name__ == "__main__":
    one_core = [
        "export XLA_FLAGS=--xla_cpu_multi_thread_eigen=false",
        "export JAX_NUM_CPU_DEVICES=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
        "export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False",
    ]
    cluster = SLURMCluster(cores=1, processes=1, memory="4GB", walltime="02:00:00", job_script_prologue=one_core)
    cluster.adapt(maximum=100)
    table = lf.batch("recordings", out="results", sweeps=[3], scheduler=cluster.scheduler_address)
    print(table["status"].value_counts())
