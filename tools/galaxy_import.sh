#!/usr/bin/env bash
# Import a tarball as Galaxy does. galaxy-importer succeeds even if it logs an error, so its log is searched.
#
# Usage: galaxy_import.sh TARBALL COLLECTIONS
#
# Without ansible-lint: the session "ansible-lint" is stricter.
#
# It sets Ansible's collections path to the unpacked tarball, and finds amazon.aws only on Python's path.
set -euo pipefail

tarball=$PWD/$1
export PYTHONPATH=$PWD/$2 GALAXY_IMPORTER_RUN_ANSIBLE_LINT=false
cd build
python -m galaxy_importer.main "$tarball" 2>&1 | tee galaxy-import.log
if grep --quiet ERROR galaxy-import.log; then
    echo 'galaxy-importer logged an error.' >&2
    exit 1
fi
