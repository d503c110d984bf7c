"""study -> runs -> targets. Rules call the `scalestudy` command; what they run is decided in `scalestudy.workflow.plan`."""

import shlex
import sys
from pathlib import Path

from snakemake import __version__ as snakemake_version
from snakemake.utils import min_version

from scalestudy.errors import UserError
from scalestudy.workflow.ending import name_report_at_exit
from scalestudy.workflow.lock import lock_study
from scalestudy.workflow.plan import Plan, one_of, project_files
from scalestudy.workflow.scheduler import put_commands_on_path

min_version("7.32")
# The longest runs first, so that no core idles at the end. In Snakemake 7 a priority is one number for a whole rule.
JOBS_HAVE_PRIORITIES = not snakemake_version.startswith("7.")

# Jobs find the `scalestudy` command of the environment that Snakemake runs in, activated or not.
shell.prefix(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; ')
# Snakemake finds the commands of profiles/cluster, wherever it was started.
put_commands_on_path()

try:
    PLAN = Plan(config)
    PLAN.check_for_snakemakes_report(sys.argv)
except UserError as error:
    sys.exit(f"error: {error}")

STUDY = PLAN.name
RESULTS = f"results/{STUDY}"


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
    input:
        f"report/{STUDY}/report.html",
        f"report/{STUDY}/report.md",


include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/report.smk"


onstart:
    # In place of Snakemake's own lock (see profiles/default), which a killed process leaves behind.
    try:
        lock_study(STUDY)
    except UserError as error:
        sys.exit(f"error: {error}")
    PLAN.start(
        workers=max(1, (workflow.nodes or workflow.cores or 1) // PLAN.threads)
    )


onsuccess:
    name_report_at_exit(STUDY)


onerror:
    # What is finished is worth a report; what is missing is named in it.
    shell("scalestudy report {PLAN.arguments} --if-any-run || true")
