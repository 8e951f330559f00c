# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions raised by the appstream service."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ConcurrentModificationException(ServiceException):
    code = "ConcurrentModificationException"


class InvalidParameterCombinationException(ServiceException):
    code = "InvalidParameterCombinationException"


class LimitExceededException(ServiceException):
    code = "LimitExceededException"


class OperationNotPermittedException(ServiceException):
    code = "OperationNotPermittedException"


class ResourceAlreadyExistsException(ServiceException):
    code = "ResourceAlreadyExistsException"


class ResourceInUseException(ServiceException):
    code = "ResourceInUseException"


class ResourceNotAvailableException(ServiceException):
    code = "ResourceNotAvailableException"


class ResourceNotFoundException(ServiceException):
    code = "ResourceNotFoundException"
