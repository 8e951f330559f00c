#!/usr/bin/env bash
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What the jobs run: ./pipeline.sh apply, start, end or destroy. Extra arguments go to the playbooks.
# The folder terraform/ is a root module with the output "lab", see README.md.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

job="${1:?name a job: apply, start, end or destroy}"
shift

tf() {
    terraform -chdir=terraform "$@"
}

# What Terraform says of the lab: for the playbooks a file, for single modules the environment.
read_outputs() {
    tf output -json lab >lab.json
    LABSTREAM_LEASE_STORE="$(python3 -c 'import json; print(json.load(open("lab.json"))["appstream_lab_lease_store"])')"
    export LABSTREAM_LEASE_STORE
}

tf init -input=false

case "$job" in
apply)
    tf plan -input=false -out=plan.out
    tf show -json plan.out >plan.json
    ansible-playbook guard.yml "$@"
    tf apply -input=false plan.out
    read_outputs
    # Terraform leaves a fleet running that it has created or changed.
    ansible-playbook stop_fleet.yml -e @lab.json "$@"
    ;;
start | end)
    read_outputs
    ansible-playbook "labstream.aws.${job}_lab" -e @lab.json -e @lab.yml "$@"
    ;;
destroy)
    read_outputs
    # As long as somebody is in a session, the fleet cannot be destroyed.
    ansible-playbook labstream.aws.end_lab -e @lab.json -e @lab.yml "$@"
    tf destroy -input=false -auto-approve
    ;;
*)
    echo "There is no job $job: name apply, start, end or destroy." >&2
    exit 2
    ;;
esac
