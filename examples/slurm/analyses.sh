#!/usr/bin/env bash
# Measures a population with workers on many nodes:
#
#   sbatch --nodes=4 --cpus-per-task=32 examples/slurm/analyses.sh --profile paper --agent lunar_lander --shard 1
#
# All words go to `python -m analyses`. A worker is a process of one thread on a core. Whatever stops the job, finished
# units are kept, and the same command goes on: also with other nodes.
# Submitted where `python` is the environment's and `checkpoints/` lies; options of sbatch win over the lines below.
#SBATCH --job-name=analyses
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

file=$PWD/.dask-${SLURM_JOB_ID:?analyses.sh: submit it with sbatch}.json
rm -f "$file"  # of a job that was queued again
dask scheduler --port 0 --no-dashboard --scheduler-file "$file" &
scheduler=$!
srun --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    dask worker --scheduler-file "$file" --nworkers "$SLURM_CPUS_PER_TASK" --nthreads 1 --no-dashboard &
workers=$!
trap 'kill "$workers" "$scheduler" 2>/dev/null || true; wait; rm -f "$file"' EXIT
until [[ -s $file ]]; do
    kill -0 "$scheduler"  # ends the job where there is no scheduler to wait for
    sleep 1
done
python -m analyses --scheduler "$file" "$@"
