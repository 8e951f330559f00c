#!/usr/bin/env bash
# Run ansible-test with the one that is first on the PATH.
#
# Usage: ansible_test.sh NAME COLLECTIONS COMMAND [OPTION OF ansible-test]...
#
# antsibull-nox's add_ansible_test_session can run it from PyPI, but wants the script for get-pip below as well, installs an
# ansible-core of its own for each session beside those that the tests run, and runs one command in it, where "sanity" has two.
#
# ansible-test rejects a checkout that is not at ansible_collections/NAMESPACE/NAME, even through a link. So the files that git
# knows are copied to a tree next to the amazon.aws of COLLECTIONS. ansible-test keeps its environments in the home folder: each
# NAME has its own, so that two of them can run at the same time.
set -euo pipefail

collections=$PWD/$2
command=$3
options=("${@:4}")
work=$PWD/build/ansible-test/$1
checkout=$work/ansible_collections/labstream/aws

rm -rf "$work/ansible_collections"
mkdir -p "$checkout" "$work/ansible_collections/amazon" "$work/home"
ln -s "$collections/ansible_collections/amazon/aws" "$work/ansible_collections/amazon/aws"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [[ -e $file ]]; then printf '%s\0' "$file"; fi
done | tar --create --null --files-from=- | tar --extract --directory="$checkout"

# Otherwise ansible-test would ask the surrounding repository, which ignores build/.
git init --quiet "$checkout"

python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# ansible-test downloads a script that installs pip into each of its environments, unless it has it. This one links the pip of
# our environment instead: it takes no time, and needs no other host than the package registry. Its name has the version of
# pip that ansible-test wants: that of ansible-core 2.16 and 2.17, of 2.18 and 2.19, and of 2.20 to 2.22.
mkdir -p "$work/home/.ansible/test/cache"
for version in 23_1_2 24_2 25_2; do
    python - > "$work/home/.ansible/test/cache/get_pip_$version.py" << 'SCRIPT'
import pip
print("import os, sysconfig")
print(f"os.symlink({pip.__path__[0]!r}, os.path.join(sysconfig.get_path('purelib'), 'pip'))")
SCRIPT
done

# pip keeps the user's settings and cache.
mkdir -p "$work/home/.config" "$work/home/.cache" "$work/tmp"
ln -sfn "${XDG_CONFIG_HOME:-$HOME/.config}/pip" "$work/home/.config/pip"
ln -sfn "$(python -m pip cache dir)" "$work/home/.cache/pip"

cd "$checkout"
HOME=$work/home TMPDIR=$work/tmp ansible-test "$command" --color no --python "$python" "${options[@]}"
