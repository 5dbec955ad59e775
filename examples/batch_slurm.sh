#!/usr/bin/env bash
# A batch as a SLURM array: one task a shard. First, once, on the head node:
#     leakyflow batch recordings --out results --sweep 3 --shard-size 200 --plan
# which says the number of the last shard, here 49; then
#     sbatch --array=0-49 examples/batch_slurm.sh
# and, when all are done, the plan's command without --plan: it finds every shard there and writes table and page.
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=02:00:00
set -euo pipefail
export XLA_FLAGS=--xla_cpu_multi_thread_eigen=false JAX_NUM_CPU_DEVICES=1 OMP_NUM_THREADS=1
leakyflow batch recordings --out results --sweep 3 --shard-size 200 --shard "$SLURM_ARRAY_TASK_ID"
