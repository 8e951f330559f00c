# The DynamoDB table by which controllers, AWX jobs and pipelines share their leases, as the playbook
# labstream.aws.lease_table makes it, and the IAM policies for using it.
#
#   terraform init
#   terraform apply
#   export LABSTREAM_LEASE_STORE="$(terraform output -raw lease_store)"

terraform {
  required_version = ">= 1.5.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0.0, < 7.0.0"
    }
  }
}

variable "name" {
  description = "The table's name."
  type        = string
  default     = "labstream-leases"
}

variable "kms_key_arn" {
  description = "A KMS key of your own, which all who use the table need the right to use. Without it, AWS owns the key, at no cost."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the table is protected from being deleted. Set it to false and apply before you destroy the table."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of the table."
  type        = map(string)
  default     = {}
}

resource "aws_dynamodb_table" "leases" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "scope"
  range_key                   = "holder"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "scope"
    type = "S"
  }

  attribute {
    name = "holder"
    type = "S"
  }

  # 30 days after a lease expired.
  ttl {
    attribute_name = "delete_after"
    enabled        = true
  }

  dynamic "server_side_encryption" {
    for_each = local.kms_keys

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  # Not switched on: for 35 days, its backups would keep what purge is to remove.
  point_in_time_recovery {
    enabled = false
  }
}

locals {
  # What the users of a key of one's own need, on that key.
  kms_keys    = var.kms_key_arn == null ? [] : [var.kms_key_arn]
  kms_actions = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
}

# For those who issue URLs, and forget and read them.
data "aws_iam_policy_document" "issuing" {
  statement {
    actions = [
      "dynamodb:DescribeTable",
      "dynamodb:BatchGetItem",
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:Scan",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
      "dynamodb:DeleteItem",
    ]
    resources = [aws_dynamodb_table.leases.arn]
  }

  dynamic "statement" {
    for_each = local.kms_keys

    content {
      actions   = local.kms_actions
      resources = [statement.value]
    }
  }
}

# For those who only write handouts and list leases.
data "aws_iam_policy_document" "reading" {
  statement {
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:Query",
      "dynamodb:Scan",
    ]
    resources = [aws_dynamodb_table.leases.arn]
  }

  dynamic "statement" {
    for_each = local.kms_keys

    content {
      actions   = local.kms_actions
      resources = [statement.value]
    }
  }
}

output "lease_store" {
  description = "What to set lease_store, or the environment variable LABSTREAM_LEASE_STORE, to."
  value       = "dynamodb://${aws_dynamodb_table.leases.name}?region=${split(":", aws_dynamodb_table.leases.arn)[3]}"
}

output "issuing_policy" {
  description = "The IAM policy for those who issue URLs."
  value       = data.aws_iam_policy_document.issuing.json
}

output "reading_policy" {
  description = "The IAM policy for those who only write handouts and list leases."
  value       = data.aws_iam_policy_document.reading.json
}
