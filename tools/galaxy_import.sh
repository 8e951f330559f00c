#!/usr/bin/env bash
# Import a tarball as Galaxy does. galaxy-importer reports success even where it logs an error, so its log is searched.
#
# Usage: galaxy_import.sh TARBALL
set -euo pipefail
