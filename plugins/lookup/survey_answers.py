# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: survey_answers
short_description: Get the answers to an AWX survey as text
version_added: 1.0.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Returns the extra variables of an AWX or Ansible Automation Platform job as they were typed, without surrounding
    white space.
  - AWX marks the answers to a survey as unsafe, and ansible-core 2.19 and newer give an answer that is marked the type
    that it would have in YAML without quotes. So the variables of the job have V(8) for C(010), V(1020) for C(17:00),
    V(true) for C(yes), and V(null) for C(null). This lookup returns the text.
  - It reads the file C(env/extravars) of ansible-runner. It is beside the folder of the project, which is the working
    directory.
options:
  _terms:
    description:
      - There are no terms.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Start the lab that was named in the survey
  ansible.builtin.import_playbook: labstream.aws.start_lab
  vars:
    answers: "{{ lookup('labstream.aws.survey_answers') }}"
    appstream_lab_name: "{{ answers.lab_name }}"
"""

RETURN = r"""
_raw:
  description:
    - One dict of all extra variables. Numbers and booleans are text too, also in lists and dicts.
  type: list
  elements: dict
  sample:
    - lab_name: "010"
      lab_ends_at: "17:00"
"""

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

# Neither resolves a type from a text or a tag.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class LookupModule(LookupBase):
    """Read the extra variables of ansible-runner as text."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        path = Path.cwd().parent / "env/extravars"
        try:
            answers = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
        except FileNotFoundError as error:
            raise AnsibleLookupError(f"There is no {path}: run the playbook as an AWX job.") from error
        except (OSError, ValueError, yaml.YAMLError):
            answers = None
        if not isinstance(answers, dict):
            # Nothing of it is quoted, since an extra variable can be a secret.
            raise AnsibleLookupError(f"The file {path} cannot be read as a mapping of variables in YAML: correct it.")
        return [{name: answer.strip() if isinstance(answer, str) else answer for name, answer in answers.items()}]
