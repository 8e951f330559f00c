# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""What a run of start_lab or end_lab is about: the labs of its hosts, and its tags. Knows neither AWS nor Ansible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import quote
from ansible_collections.labstream.aws.plugins.module_utils._handouts.paths import PATHS
from ansible_collections.labstream.aws.plugins.plugin_utils._arguments import find_similar
from ansible_collections.labstream.aws.plugins.plugin_utils._paths import resolve_path

# Where a lab runs, by provider: what its role calls that, and how a message says it.
_PLACES = {
    "appstream": (("stack_name", "fleet_name", "region"), "on one stack and fleet"),
    "gamelift": (("stream_group", "region"), "on one stream group"),
    "nimble": (("studio_id", "region", "endpoint_url"), "in one studio"),
}
# The tags of the steps in start_lab and end_lab, whatever the provider.
TAGS = ("capacity", "fleet", "handout", "leases", "rotate", "sessions", "urls")
# The length of tags that are near misses of too much.
_MAX_UNCHECKED = 2


def lab_conflicts(
    hosts: Mapping[str, Mapping[str, Any]],
    playbook_dir: str,
    provider: str = "appstream",
    run_tags: Iterable[str] = (),
    skip_tags: Iterable[str] = (),
) -> list[str]:
    """Return why the labs of these hosts cannot be run, as texts; nothing if they can.

    That is a misspelled tag, an unknown provider, or what two hosts have in common that each must have for itself.

    Args:
        hosts: The variables of each host, if there are several.
        playbook_dir: The folder of the playbook, where relative paths on the controller start.
        provider: The provider of the lab on this host.
        run_tags: The tags that the run is limited to.
        skip_tags: The tags that it leaves out.
    """
    misspelled = [*_find_misspelled("--tags", run_tags), *_find_misspelled("--skip-tags", skip_tags)]
    if misspelled:
        return misspelled
    if str(provider) not in _PLACES:
        return [f"lab_provider is {quote(provider)}, but it must be one of {', '.join(_PLACES)}."]
    owners: dict[Any, str] = {}
    conflicts = []
    for host, variables in hosts.items():
        for what, key in _find_own(host, variables, playbook_dir):
            owner = owners.setdefault(key, host)
            if owner != host:
                conflicts.append(f"The hosts {owner} and {host} have the same {what}: give each its own.")
    return conflicts


def _find_misspelled(option: str, tags: Iterable[str]) -> Iterator[str]:
    """Yield an error for each tag that is a near miss of a step's, since Ansible ignores a tag that no task has.

    Any other tag can be one of a playbook that imports start_lab or end_lab, as can one of a letter or two.
    """
    for tag in sorted(set(map(str, tags)) - set(TAGS)):
        if len(tag) > _MAX_UNCHECKED and (similar := find_similar(tag.casefold(), TAGS, "")):
            known = ", ".join(TAGS)
            yield f"No step has the tag {quote(tag)} of {option}: did you mean {similar}? The tags are {known}."


def _find_own(host: str, variables: Mapping[str, Any], playbook_dir: str) -> Iterator[tuple[str, Any]]:
    """Yield what the host must have for itself: its name in a message, and a value to compare."""
    provider = str(_get_value(variables, "lab_provider") or "appstream")
    # Any other provider is rejected.
    options, place = _PLACES.get(provider, ((), ""))
    lab = [str(_get_value(variables, f"{provider}_lab_{option}") or "") for option in ("name", *options)]
    if lab[0]:
        yield f"lab {quote(lab[0])} {place}", (provider, *lab)
    is_local = _get_value(variables, "ansible_connection") == "local" or host == "localhost"
    for name in (f"{provider}_lab_summary_path", *(f"lab_handout_{option}" for option in PATHS)):
        path = _get_value(variables, name)
        if isinstance(path, str) and path:
            where = str(resolve_path(path, playbook_dir).resolve()) if is_local else (host, path)
            yield f"path {quote(path)} ({name})", where


def _get_value(variables: Mapping[str, Any], name: str) -> Any:
    """Return the value of a variable; None if it is empty, or cannot be evaluated, which fails the lab of its host."""
    try:
        # ansible-core from 2.19 on returns a marker, which raises once it is used.
        return variables.get(name) or None
    except Exception:  # whatever a template raises
        return None
