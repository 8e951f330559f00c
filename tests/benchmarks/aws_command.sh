#!/usr/bin/env bash
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What somebody would write in a shell: URLs from the aws command, one after another or several at once. Remembers nothing.
#
# Usage: aws_command.sh loop|xargs STACK FLEET LEARNERS VALIDITY PROCESSES
set -euo pipefail

how=$1 learners=$4 processes=$6
create=(aws appstream create-streaming-url --stack-name "$2" --fleet-name "$3" --validity "$5" --query StreamingURL --output text)

if [[ $how == loop ]]; then
    for ((number = 0; number < learners; number++)); do
        "${create[@]}" --user-id "learner-$number"
    done
else
    seq 0 $((learners - 1)) | xargs -P "$processes" -I '{}' "${create[@]}" --user-id 'learner-{}'
fi
