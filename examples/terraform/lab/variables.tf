variable "name" {
  description = "The name of the stack and the fleet."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$", var.name))
    error_message = "A name has 1 to 101 letters, digits, underscores, dots and hyphens and begins with a letter or digit."
  }
}

variable "image_name" {
  description = "The name of the image with the lab's applications."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$", var.image_name))
    error_message = "Give the name of an image, and not its ARN: 1 to 101 letters, digits, underscores, dots and hyphens."
  }
}

variable "instance_type" {
  description = "The instance type, which has to fit the image."
  type        = string
  default     = "stream.standard.medium"

  validation {
    condition     = can(regex("^[a-zA-Z]+([.][a-zA-Z0-9-]+)+$", var.instance_type))
    error_message = "Give an instance type of AppStream, such as stream.standard.medium."
  }
}

variable "fleet_type" {
  description = "ON_DEMAND starts an instance when a learner connects, ALWAYS_ON before."
  type        = string
  default     = "ON_DEMAND"

  validation {
    condition     = contains(["ON_DEMAND", "ALWAYS_ON"], var.fleet_type)
    error_message = "fleet_type is ON_DEMAND or ALWAYS_ON: Terraform cannot create elastic fleets."
  }
}

variable "subnet_ids" {
  description = "The subnets of the instances, of which there should be two, in different availability zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "Give at least one id of a subnet, such as subnet-0123456789abcdef0."
  }
}

variable "security_group_ids" {
  description = "The security groups of the instances. Without any, they have the default one of the VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.security_group_ids) <= 5 && alltrue([for id in var.security_group_ids : startswith(id, "sg-")])
    error_message = "Give up to five ids of security groups, such as sg-0123456789abcdef0."
  }
}

variable "sessions" {
  description = "How many sessions the new fleet has. Later changes have no effect, since start_lab scales the fleet."
  type        = number
  default     = 1

  validation {
    condition     = var.sessions >= 1 && floor(var.sessions) == var.sessions
    error_message = "sessions is a whole number from 1."
  }
}

variable "lease_store" {
  description = "The DynamoDB table for leases, as the output lease_store of ../lease_table names it. Without it, the role's default counts."
  type        = string
  default     = null

  validation {
    condition = var.lease_store == null || can(regex(
      "^dynamodb://(arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/)?[A-Za-z0-9_.-]{3,255}([?].+)?$", var.lease_store
    ))
    error_message = "Name a DynamoDB table, such as dynamodb://labstream-leases?region=eu-central-1."
  }
}

variable "publish_pages" {
  description = "Whether to have a private bucket for the learners' pages, and CloudFront, which shows them."
  type        = bool
  default     = false
  nullable    = false
}

variable "event_driven" {
  description = "What ends labs, and brings back a fleet that has lost its instances, by ansible-rulebook. By default, nothing. lab_ends has the local time at which each lab ends, by its name."
  type = object({
    lab_ends = optional(map(object({ at = string, timezone = string })), {})
  })
  default = null

  validation {
    condition = alltrue([
      for name, end in try(var.event_driven.lab_ends, {}) :
      can(regex("^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$", name)) && can(regex("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d$", end.at))
    ])
    error_message = "lab_ends is such as {cad-2026-11-21 = {at = \"2026-11-21T17:00\", timezone = \"Europe/Berlin\"}}. A name has 1 to 64 letters, digits, underscores, dots and hyphens and begins with a letter."
  }
}

variable "tags" {
  description = "Tags of all that can have tags."
  type        = map(string)
  default     = {}
}
