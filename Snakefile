"""study -> runs -> targets. Rules call the `scalestudy` command; what they run is decided in `scalestudy.workflow.plan`."""

import shlex
import sys
from pathlib import Path

from snakemake import __version__ as snakemake_version
from snakemake.utils import min_version

from scalestudy.errors import UserError
from scalestudy.workflow.ending import name_report_at_exit, note_at_exit_if_included
from scalestudy.workflow.plan import BEFORE_ALL_RUNS, Plan, one_of, project_files
from scalestudy.workflow.scheduler import put_commands_on_path
from scalestudy.workflow.starting import force, how_started, typed_config

min_version("7.32")
# What runs wait for comes first, then the longest runs, so that no core idles at the end. In Snakemake 7 a priority is
# one number for a whole rule.
JOBS_HAVE_PRIORITIES = not snakemake_version.startswith("7.")

# A job fails where any of its commands does, also before a pipe: this prefix takes the place of Snakemake's own. And
# jobs find the `scalestudy` command of the environment that Snakemake runs in, activated or not.
shell.prefix(
    f'set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; '
)

note_at_exit_if_included(workflow)
try:
    PLAN = Plan(config, workflow.overwrite_configfiles or (), typed_config(workflow))
    force(workflow, PLAN.begin(how_started(sys.argv[1:], workflow)))
    PLAN.check_for_snakemakes_report(sys.argv)
except UserError as error:
    sys.exit(f"error: {error}")

STUDY = PLAN.name
RESULTS = f"results/{STUDY}"
# Snakemake finds the commands of profiles/cluster, wherever it was started, and they know whose jobs they submit.
put_commands_on_path(STUDY)


localrules:
    all,
    report,
    data,
    prepare_dataset,
    fetch_weights,
    write_study,
    collect,
    analyse,
    figures,
    render,


rule all:
    """Every run, and all that follows from them: what is missing anywhere is made, whatever stands further on."""
    input:
        # By a function: Snakemake looks each file of a plain list up by a hash of the whole list, a minute at 10,000 runs.
        lambda wildcards: PLAN.everything(),


include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/report.smk"


onstart:
    # Nodes are jobs, whatever their threads; cores are shared by them. Snakemake 7 does not say where jobs run.
    here = getattr(workflow, "local_exec", not workflow.nodes)
    PLAN.start(
        workers=(
            max(1, (workflow.cores or 1) // PLAN.threads)
            if here
            else workflow.nodes or 1
        ),
        here=here,
    )


onsuccess:
    name_report_at_exit(STUDY)


onerror:
    # What is finished is worth a report, beside the place of the finished one; what is missing is named in it.
    shell("scalestudy report {PLAN.arguments} --if-any-run || true")
